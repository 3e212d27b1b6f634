# The harness sets name_prefix, packages, tags and memory_mb; modules/environment says what each is,
# and what null stands for.

variable "architecture" {
  type    = string
  default = null
}

variable "canary" {
  type    = object({ percent = number, stable_version = string })
  default = null
}

variable "log_format" {
  type    = string
  default = null
}

variable "memory_mb" {
  type    = number
  default = null
}

variable "name_prefix" {
  type = string
}

variable "packages" {
  type = map(object({ path = string, sha256_base64 = string }))
}

variable "permissions_boundary_arn" {
  type    = string
  default = null
}

variable "tags" {
  type    = map(string)
  default = {}
}

variable "tuner_copies" {
  type    = bool
  default = null
}
