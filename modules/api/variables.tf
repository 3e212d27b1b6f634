variable "access_logs" {
  description = "Whether access logs (no payloads) are written, in JSON. Off by default: they need a CloudWatch role in the account's API Gateway settings."
  type        = bool
  default     = false
  nullable    = false
}

variable "authorization" {
  description = "Who may call: AWS_IAM (signed requests of principals with execute-api:Invoke) or NONE (everybody)."
  type        = string
  default     = "AWS_IAM"
  nullable    = false

  validation {
    condition     = contains(["AWS_IAM", "NONE"], var.authorization)
    error_message = "Use AWS_IAM or NONE for authorization."
  }
}

variable "log_retention_days" {
  description = "Days that access logs are kept, as CloudWatch Logs knows them: 1, 3, 5, 7, 14, 30, ..."
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

variable "name_prefix" {
  description = "Start of all names, e.g. dyno-251120-0915-k3f9."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name_prefix))
    error_message = "Use 2 to 40 lower-case letters, digits and hyphens for name_prefix: a letter first, no hyphen last."
  }
}

variable "paths" {
  description = "Paths that reach the function, with every method (it refuses wrong ones itself), e.g. [\"/items\", \"/items/{id}\"]; at most two levels."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.paths) > 0 && alltrue([for path in var.paths : can(regex("^(/([A-Za-z0-9._-]+|{[A-Za-z0-9_]+[+]?})){1,2}$", path))])
    error_message = "Give at least one path; each starts with / and has one or two levels of letters, digits, hyphens or {parameters}."
  }

  validation {
    condition     = alltrue([for path in var.paths : try(contains(var.paths, "/${split("/", path)[1]}"), true)])
    error_message = "Give the parent of each two-level path, too: /items for /items/{id}."
  }
}

variable "stage_name" {
  description = "Name of the stage, the first part of every URL's path."
  type        = string
  default     = "v1"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_]{1,128}$", var.stage_name))
    error_message = "Use 1 to 128 letters, digits and underscores for stage_name."
  }
}

variable "target" {
  description = "The function behind the API: its name, the alias that is called, and the alias's invoke ARN."
  type = object({
    alias_name       = string
    alias_invoke_arn = string
    function_name    = string
  })
  nullable = false
}

variable "throttling" {
  description = "Limits of the stage, answered with 429 when passed: requests in one burst, and requests per second."
  type = object({
    burst_limit = optional(number, 200)
    rate_limit  = optional(number, 500)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.throttling.burst_limit >= 1 && var.throttling.rate_limit >= 1
    error_message = "Use at least 1 for throttling.burst_limit and throttling.rate_limit: 0 refuses every request."
  }
}
