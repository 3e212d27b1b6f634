variable "alias_name" {
  description = "Name of the alias that points at the newest published version; callers use it, so tuning on $LATEST never meets them."
  type        = string
  default     = "live"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*$", var.alias_name)) && length(var.alias_name) <= 128
    error_message = "Use 1 to 128 letters, digits, hyphens and underscores for alias_name, and not digits only: Lambda takes those for a version."
  }
}

variable "architecture" {
  description = "Processor: arm64 or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Use arm64 or x86_64 for architecture."
  }
}

variable "canary" {
  description = "Per cent (0 to 99) of the alias's calls that the newest version gets, while the rest stays with stable_version, e.g. { stable_version = \"3\", percent = 10 }; null: the newest version gets all."
  type = object({
    percent        = number
    stable_version = string
  })
  default = null

  validation {
    condition     = var.canary == null || try(var.canary.percent >= 0 && var.canary.percent <= 99 && floor(var.canary.percent) == var.canary.percent, false)
    error_message = "Use a whole number from 0 to 99 for canary.percent; leave canary out to give the newest version all calls."
  }

  validation {
    condition     = var.canary == null || can(regex("^[1-9][0-9]*$", var.canary.stable_version))
    error_message = "Give the number of a published version as canary.stable_version, e.g. \"3\"."
  }
}

variable "environment" {
  description = "Environment variables of the function, e.g. { TABLE_NAME = \"items\" }."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "handler" {
  description = "Handler in the package, e.g. crud_api.handler.handler."
  type        = string
  nullable    = false
}

variable "log_format" {
  description = "Format of Lambda's own log lines, REPORT included: Text or JSON."
  type        = string
  default     = "JSON"
  nullable    = false

  validation {
    condition     = contains(["Text", "JSON"], var.log_format)
    error_message = "Use Text or JSON for log_format."
  }
}

variable "log_retention_days" {
  description = "Days that the function's log is kept, as CloudWatch Logs knows them: 1, 3, 5, 7, 14, 30, ..."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "Use a number of days that CloudWatch Logs knows for log_retention_days: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "memory_mb" {
  description = "Memory size in MB, 128 to 10240; CPU comes in proportion (one vCPU at 1769 MB)."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "Use a whole number of MB from 128 to 10240 for memory_mb."
  }
}

variable "name" {
  description = "Last part of the function's name, e.g. crud-api."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "Use 2 to 20 lower-case letters, digits and hyphens for name: a letter first, no hyphen last."
  }
}

variable "name_prefix" {
  description = "Start of all names, e.g. dyno-251120-0915-k3f9."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name_prefix))
    error_message = "Use 2 to 40 lower-case letters, digits and hyphens for name_prefix: a letter first, no hyphen last."
  }
}

variable "package" {
  description = "The code: path of the zip, or where it is in S3, and its SHA-256 in base64, which makes Terraform see a change."
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

  validation {
    condition     = var.package.path == null || try(endswith(var.package.path, ".zip"), false)
    error_message = "Give the path of a .zip file as package.path."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9+/]{43}=$", var.package.sha256_base64))
    error_message = "Give the base64 form of the zip's SHA-256 (44 characters, the last one =) as package.sha256_base64; the hexadecimal form does not work."
  }
}

variable "permissions" {
  description = "What the function may do besides writing its log, by statement name: exact actions on exact ARNs."
  type = map(object({
    actions   = list(string)
    resources = list(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue(flatten([
      for statement in values(var.permissions) : [
        for action in statement.actions : can(regex("^[a-z0-9-]+:[A-Za-z0-9]+$", action))
      ]
    ]))
    error_message = "Spell out each action in permissions, such as dynamodb:GetItem: wildcards are refused."
  }

  validation {
    condition = alltrue(flatten([
      for statement in values(var.permissions) : [
        length(statement.actions) > 0 && length(statement.resources) > 0,
        [for resource in statement.resources : startswith(resource, "arn:")]
      ]
    ]))
    error_message = "Give at least one action and one ARN in each statement of permissions; a bare * is refused."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the managed policy that bounds the function's role; null for none."
  type        = string
  default     = null
}

variable "runtime" {
  description = "Lambda runtime of the package, e.g. python3.13."
  type        = string
  default     = "python3.13"
  nullable    = false
}

variable "timeout_seconds" {
  description = "Longest run of one invocation in seconds, 1 to 900."
  type        = number
  default     = 15
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "Use a whole number of seconds from 1 to 900 for timeout_seconds."
  }
}
