variable "architecture" {
  description = "Processor of the tuner's own functions: arm64 or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "assumable_role_arns" {
  description = "ARNs of roles in other accounts that are assumed for a function's calls there."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "copies" {
  description = "What a copy of the function needs: its role, its layers, whether it is in a VPC; null: no copies."
  type = object({
    role_arns  = list(string)
    layer_arns = optional(list(string), [])
    in_vpc     = optional(bool, false)
  })
  default = null
}

variable "copy_packages" {
  description = "Packages of the function for other architectures: arm64, x86_64."
  type        = map(object({ path = string, sha256_base64 = string }))
  default     = {}
  nullable    = false
}

variable "kms_key_arns" {
  description = "ARNs of the customer managed KMS keys of the function and of the payload."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "name_prefix" {
  description = "Start of all names, e.g. dyno-251120-0915-k3f9."
  type        = string
  nullable    = false
}

variable "packages" {
  description = "Zip of the tuner's functions: its path and its SHA-256 in base64."
  type = object({
    power_tuner = object({ path = string, sha256_base64 = string })
  })
  nullable = false
}

variable "payload_bucket" {
  description = "S3 bucket and key (a pattern) of the payload; null: no payload from S3."
  type = object({
    name        = string
    key_pattern = string
  })
  default = null
}

variable "permissions_boundary_arn" {
  description = "ARN of the managed policy that bounds all roles of the functions and the state machine; null for none."
  type        = string
  default     = null
}

variable "processor_function_arns" {
  description = "ARNs of the pre- and the post-processor."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "tags" {
  description = "Tags of all resources: dyno:run, dyno:env and dyno:expires."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "total_timeout_seconds" {
  description = "Seconds after which a tuning times out, and is cleaned up after."
  type        = number
  default     = 21600
  nullable    = false
}

variable "tunable_function_arns" {
  description = "ARN of the function to tune."
  type        = list(string)
  nullable    = false
}
