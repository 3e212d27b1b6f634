variable "api" {
  description = "The REST API: authorization (AWS_IAM or NONE), access logs (off by default: they need a CloudWatch role in the account's API Gateway settings), burst and requests per second before it answers 429."
  type = object({
    access_logs   = optional(bool, false)
    authorization = optional(string, "AWS_IAM")
    burst_limit   = optional(number, 200)
    rate_limit    = optional(number, 500)
  })
  default  = {}
  nullable = false
}

variable "canary" {
  description = "Share of the calls that a new version of the CRUD function gets: see the function module; null: all."
  type = object({
    percent        = number
    stable_version = string
  })
  default = null
}

variable "function" {
  description = "The CRUD function: architecture (arm64 or x86_64), log format (Text or JSON), memory size in MB, timeout in seconds."
  type = object({
    architecture    = optional(string, "arm64")
    log_format      = optional(string, "JSON")
    memory_mb       = optional(number, 512)
    timeout_seconds = optional(number, 15)
  })
  default  = {}
  nullable = false
}

variable "log_retention_days" {
  description = "Days that all logs are kept, as CloudWatch Logs knows them: 1, 3, 5, 7, 14, 30, ..."
  type        = number
  default     = 14
  nullable    = false
}

variable "name_prefix" {
  description = "Start of all names, e.g. dyno-251120-0915-k3f9."
  type        = string
  nullable    = false
}

variable "package" {
  description = "The code of the CRUD function: path of the zip, or where it is in S3, and its SHA-256 in base64."
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket = string
      key    = string
    }))
    sha256_base64 = string
  })
  nullable = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the managed policy that bounds the function's role; null for none."
  type        = string
  default     = null
}

variable "protection" {
  description = "Protection of the table's data: see the table module."
  type = object({
    deletion_protection    = optional(bool, false)
    point_in_time_recovery = optional(bool, false)
  })
  default  = {}
  nullable = false
}
