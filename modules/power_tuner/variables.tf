variable "architecture" {
  description = "Processor of the tuner's own functions: arm64, or x86_64 in regions without arm64; what is tuned may have either."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Use arm64 or x86_64 for architecture."
  }
}

variable "assumable_role_arns" {
  description = "ARNs of roles in other accounts that an input's roleArn may name, assumed for a function's calls there; what they may do is said in their account."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.assumable_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", arn))])
    error_message = "Give whole ARNs of roles, without wildcards, in assumable_role_arns, e.g. arn:aws:iam::123456789012:role/tuned-by-others."
  }
}

variable "copies" {
  description = "Lets the tuner measure temporary copies (isolation clone): the roles of the tunable functions, which alone it may give them, their layers' ARNs (* is allowed), whether they are in a VPC, their packages on other architectures (arm64, x86_64), and whether it measures copies only, and may not change or invoke the functions themselves; null: no copies."
  type = object({
    role_arns  = list(string)
    layer_arns = optional(list(string), [])
    in_vpc     = optional(bool, false)
    only       = optional(bool, false)
    packages = optional(map(object({
      s3            = object({ bucket = string, key = string })
      sha256_base64 = string
    })), {})
  })
  default = null

  validation {
    condition     = var.copies == null || length(try(var.copies.role_arns, [])) > 0 && alltrue([for arn in try(var.copies.role_arns, []) : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", arn))])
    error_message = "Give the ARNs of roles, without wildcards, in copies.role_arns, e.g. arn:aws:iam::123456789012:role/shop-orders."
  }

  validation {
    condition     = alltrue([for arn in try(var.copies.layer_arns, []) : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_*-]+:[0-9*]+$", arn))])
    error_message = "Give ARNs of versions of layers in copies.layer_arns, e.g. arn:aws:lambda:eu-west-1:123456789012:layer:shop-libs:7."
  }

  validation {
    condition     = alltrue([for name in keys(try(var.copies.packages, {})) : contains(["arm64", "x86_64"], name)])
    error_message = "Use arm64 and x86_64 as the keys of copies.packages."
  }
}

variable "default_power_values" {
  description = "Memory sizes in MB that are measured when an execution's input names none."
  type        = list(number)
  default     = [128, 256, 512, 1024, 1536, 3008]
  nullable    = false

  validation {
    condition = length(var.default_power_values) > 0 && alltrue([
      for mb in var.default_power_values : mb >= 128 && mb <= 10240 && floor(mb) == mb
    ])
    error_message = "Give at least one whole number of MB from 128 to 10240 in default_power_values."
  }
}

variable "kms_key_arns" {
  description = "ARNs of the customer managed KMS keys that encrypt tunable functions or payloads in S3; the keys' policies must leave it to IAM who uses them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "Give ARNs of keys, not of aliases, in kms_key_arns, e.g. arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab."
  }
}

variable "log_retention_days" {
  description = "Days that the logs of the tuner's functions are kept, as CloudWatch Logs knows them: 1, 3, 5, 7, 14, 30, ..."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "Use a number of days that CloudWatch Logs knows for log_retention_days: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "measure_memory_mb" {
  description = "Memory size in MB of the function that invokes what is tuned: it makes as many invocations at once, at most 500, and adaptive measuring decides faster with more."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.measure_memory_mb >= 128 && var.measure_memory_mb <= 10240 && floor(var.measure_memory_mb) == var.measure_memory_mb
    error_message = "Use a whole number of MB from 128 to 10240 for measure_memory_mb."
  }
}

variable "name_prefix" {
  description = "Start of all names, e.g. dyno-261120-2243-k3f9."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name_prefix))
    error_message = "Use 2 to 40 lower-case letters, digits and hyphens for name_prefix: a letter first, no hyphen last."
  }
}

variable "package" {
  description = "Zip of the tuner's functions (lambda/power_tuner): its path, or where it is in S3, and its SHA-256 in base64."
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket = string
      key    = string
    }))
    sha256_base64 = string
  })
  nullable = false

  validation {
    condition     = (var.package.path == null) != (var.package.s3 == null)
    error_message = "Give either path or s3 in package."
  }
}

variable "payload_bucket" {
  description = "S3 bucket that payloadS3 may name, and which of its keys (a pattern, e.g. payloads/*); null: no payloads from S3."
  type = object({
    name        = string
    key_pattern = optional(string, "*")
  })
  default = null
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the tuner's roles; null: none."
  type        = string
  default     = null
}

variable "processor_function_arns" {
  description = "ARNs of the functions that preProcessorARN and postProcessorARN may name; * is allowed within the name."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.processor_function_arns : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_*-]+$", arn))])
    error_message = "Give ARNs of Lambda functions without version or alias in processor_function_arns, e.g. arn:aws:lambda:eu-west-1:123456789012:function:prepare-*."
  }
}

variable "total_timeout_seconds" {
  description = "Seconds after which an execution times out, and is cleaned up after."
  type        = number
  default     = 21600
  nullable    = false

  validation {
    condition     = var.total_timeout_seconds >= 60 && var.total_timeout_seconds <= 604800
    error_message = "Use 60 to 604800 seconds (a week) for total_timeout_seconds."
  }
}

variable "tunable_function_arns" {
  description = "ARNs of the functions that may be tuned, without version or alias; * is allowed within the name, e.g. arn:aws:lambda:eu-west-1:123456789012:function:shop-*."
  type        = list(string)
  nullable    = false

  validation {
    condition = length(var.tunable_function_arns) > 0 && alltrue([
      for arn in var.tunable_function_arns :
      can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_*-]+$", arn))
    ])
    error_message = "Give at least one ARN of a Lambda function without version or alias in tunable_function_arns; region and account are exact, * may stand in the name."
  }
}

variable "visualization_url" {
  description = "Page that draws the curve from its address; nothing is sent to it but the hash, which browsers keep."
  type        = string
  default     = "https://lambda-power-tuning.show/"
  nullable    = false

  validation {
    condition     = can(regex("^https?://[^#]+$", var.visualization_url))
    error_message = "Use a web address without # for visualization_url."
  }
}

variable "vpc" {
  description = "Subnets and security groups of the tuner's functions, which must reach the APIs of Lambda and Step Functions from there; null: no VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}
