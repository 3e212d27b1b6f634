variable "evidence" {
  description = "The evidence store: its bucket, the beginning of its keys (empty, or with / at its end, e.g. dyno/), and the ARN of its KMS key (null: SSE-S3), which encrypts the results, too."
  type = object({
    bucket      = string
    prefix      = optional(string, "")
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.evidence.bucket))
    error_message = "Use 3 to 63 lower-case letters, digits, hyphens and dots for evidence.bucket."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9_][A-Za-z0-9_.-]{0,63}/){0,8}$", var.evidence.prefix))
    error_message = "Leave evidence.prefix empty, or give letters, digits, dots, hyphens and underscores with / between and at the end, e.g. dyno/."
  }

  validation {
    condition     = var.evidence.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.evidence.kms_key_arn))
    error_message = "Give the ARN of a key, not of an alias, in evidence.kms_key_arn, e.g. arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab."
  }
}

variable "most_scanned_bytes" {
  description = "Bytes that a query may read before Athena cancels it, at 5 USD per 10^12 bytes in most regions; AWS takes no less than 10485760."
  type        = number
  default     = 10000000000
  nullable    = false

  validation {
    condition     = var.most_scanned_bytes >= 10485760 && floor(var.most_scanned_bytes) == var.most_scanned_bytes
    error_message = "Use a whole number from 10485760 (10 MB) for most_scanned_bytes."
  }
}

variable "name_prefix" {
  description = "Start of all names, e.g. dyno-evidence; the database has it with underscores."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name_prefix))
    error_message = "Use 2 to 40 lower-case letters, digits and hyphens for name_prefix: a letter first, no hyphen last."
  }
}

variable "store_envs" {
  description = "Environments whose main is read, as the evidence store's keys begin with them, e.g. [\"dev\", \"prod\"]: the values of the partition key store_env."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.store_envs) > 0 && alltrue([for name in var.store_envs : can(regex("^[A-Za-z0-9_-]{1,64}$", name))])
    error_message = "Give at least one name in store_envs, each of 1 to 64 letters, digits, hyphens and underscores."
  }
}
