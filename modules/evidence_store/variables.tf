variable "bucket_name" {
  description = "Name of the bucket, which is made here, e.g. dyno-evidence-111122223333-eu-west-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "Use 3 to 63 lower-case letters, digits, hyphens and dots for bucket_name."
  }
}

variable "end_days" {
  description = "Days after which evidence ends, by its class; 0: never. rows: main's rows and retunings, which trends are made of; runs: main's reports, charts and latencies; pr: all of pull requests; other: all of laptops and branches; athena_results: what queries answered."
  type = object({
    athena_results = optional(number, 7)
    other          = optional(number, 30)
    pr             = optional(number, 90)
    rows           = optional(number, 0)
    runs           = optional(number, 400)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.end_days) : days >= 0 && floor(days) == days])
    error_message = "Use whole numbers of days, or 0 for never, in end_days."
  }
}

variable "environments" {
  description = "Who adds below which environment, by its name: ARNs of roles under names of your own. main: runs of the default branch, which decisions read; retunings: what modules/retune adds to main; pr: runs of pull requests; other: further ones, such as of laptops."
  type = map(object({
    main      = optional(map(string), {})
    other     = optional(map(string), {})
    pr        = optional(map(string), {})
    retunings = optional(map(string), {})
  }))
  nullable = false

  validation {
    condition     = length(var.environments) > 0 && alltrue([for env in keys(var.environments) : can(regex("^[A-Za-z0-9_-]{1,64}$", env))])
    error_message = "Name at least one environment in environments, each with 1 to 64 letters, digits, hyphens and underscores."
  }

  validation {
    condition = alltrue(flatten([
      for adders in values(var.environments) : [
        for role_arns in values(adders) : [
          for name, arn in role_arns : can(regex("^[A-Za-z0-9_-]{1,64}$", name)) && can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/([A-Za-z0-9_.@=,+-]+/)*[A-Za-z0-9_.@=,+-]+$", arn))
        ]
      ]
    ]))
    error_message = "Give ARNs of roles, without wildcards, in environments, e.g. { tune = \"arn:aws:iam::123456789012:role/github-dyno-dev-tune\" }."
  }

  validation {
    condition = length(setintersection(
      toset(flatten([for adders in values(var.environments) : concat(values(adders.main), values(adders.retunings))])),
      toset(flatten([for adders in values(var.environments) : values(adders.pr)])),
    )) == 0
    error_message = "Give no role of pull requests main's keys in environments: whoever opens a pull request would write what main is judged by."
  }
}

variable "kms_key_arn" {
  description = "ARN of a customer managed KMS key for what is in the bucket; its policy must let the account's IAM decide; null: SSE-S3."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "Give the ARN of a key, not of an alias, as kms_key_arn, e.g. arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab."
  }
}

variable "object_lock" {
  description = "For auditors: for so many days no version of an object can be deleted by anybody (COMPLIANCE), or only by who may bypass it and has the bucket's policy changed first (GOVERNANCE); null: no lock."
  type = object({
    days = number
    mode = string
  })
  default = null

  validation {
    condition     = var.object_lock == null || contains(["COMPLIANCE", "GOVERNANCE"], try(var.object_lock.mode, ""))
    error_message = "Use COMPLIANCE or GOVERNANCE for object_lock.mode."
  }

  validation {
    condition     = var.object_lock == null || try(var.object_lock.days >= 1 && var.object_lock.days <= 36500 && floor(var.object_lock.days) == var.object_lock.days, false)
    error_message = "Use a whole number of days from 1 to 36500 for object_lock.days."
  }
}

variable "prefix" {
  description = "What all keys begin with, as in s3://BUCKET/PREFIX of dyno.toml, with / at its end, e.g. shop/; empty: nothing."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_][A-Za-z0-9_.-]{0,63}/){0,8}$", var.prefix))
    error_message = "Use up to 8 parts of letters, digits, underscores, dots and hyphens, each with / behind it, for prefix."
  }
}

variable "readers" {
  description = "Who reads: ARNs of roles under names of your own; main alone, or what pull requests added, too (with_pr)."
  type = object({
    role_arns = optional(map(string), {})
    with_pr   = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for arn in values(var.readers.role_arns) : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/([A-Za-z0-9_.@=,+-]+/)*[A-Za-z0-9_.@=,+-]+$", arn))])
    error_message = "Give ARNs of roles, without wildcards, in readers.role_arns."
  }
}
