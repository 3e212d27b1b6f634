variable "api_authorization" {
  description = "Who may call the API: AWS_IAM (signed requests of principals with execute-api:Invoke) or NONE (everybody)."
  type        = string
  default     = "AWS_IAM"
  nullable    = false
}

variable "architecture" {
  description = "Processor of all functions: arm64 or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "canary" {
  description = "Share of the calls that a new version of the CRUD function gets: see the function module; null: all. `dyno deploy` sets it."
  type = object({
    percent        = number
    stable_version = string
  })
  default = null
}

variable "log_format" {
  description = "Format of Lambda's own log lines: Text or JSON."
  type        = string
  default     = "JSON"
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that all logs are kept, as CloudWatch Logs knows them: 1, 3, 5, 7, 14, 30, ..."
  type        = number
  default     = 14
  nullable    = false
}

variable "memory_mb" {
  description = "Memory size of the CRUD function in MB, 128 to 10240."
  type        = number
  default     = 512
  nullable    = false
}

variable "name_prefix" {
  description = "Start of all names, e.g. dyno-251120-0915-k3f9."
  type        = string
  nullable    = false
}

variable "packages" {
  description = "Zips of the functions: their paths and their SHA-256 in base64."
  type = object({
    crud_api    = object({ path = string, sha256_base64 = string })
    power_tuner = object({ path = string, sha256_base64 = string })
  })
  nullable = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the managed policy that bounds all roles of the functions and the state machine; null for none."
  type        = string
  default     = null
}

variable "tuner_copies" {
  description = "Whether the power tuner may measure a temporary copy of the function, and give it the function's role; `dyno deploy` sets it."
  type        = bool
  default     = false
  nullable    = false
}
