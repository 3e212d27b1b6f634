variable "architecture" {
  description = "Processor of the functions of this module and of its tuner: arm64, or x86_64 in regions without arm64; what is tuned may have either."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Use arm64 or x86_64 for architecture."
  }
}

variable "copied_with" {
  description = "What the copies of the functions that are measured may be given: the roles of the functions, their layers' ARNs (* is allowed), and whether they are in a VPC; see the power_tuner module."
  type = object({
    role_arns  = list(string)
    layer_arns = optional(list(string), [])
    in_vpc     = optional(bool, false)
  })
  nullable = false

  validation {
    condition     = length(var.copied_with.role_arns) > 0 && alltrue([for arn in var.copied_with.role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", arn))])
    error_message = "Give the ARNs of the functions' roles, without wildcards, in copied_with.role_arns, e.g. arn:aws:iam::123456789012:role/shop-orders."
  }

  validation {
    condition     = alltrue([for arn in var.copied_with.layer_arns : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_*-]+:[0-9*]+$", arn))])
    error_message = "Give ARNs of versions of layers in copied_with.layer_arns, e.g. arn:aws:lambda:eu-west-1:123456789012:layer:shop-libs:7."
  }
}

variable "functions" {
  description = "The functions that are tuned, by a short name of yours: ARN with a version or an alias; payload, an object of the store below ENV/main/payloads/ and its version; and what starts a tuning: ARNs of the function's own alarms, a new version of the alias, traffic that changed by a factor within seven days, or a schedule (rate or cron). Strategy, confidence and sizes are the power tuner's."
  type = map(object({
    arn = string
    payload = object({
      key        = string
      version_id = string
    })
    alarm_arns     = optional(list(string), [])
    on_new_version = optional(bool, false)
    schedule       = optional(string)
    traffic = optional(object({
      factor            = number
      least_invocations = optional(number, 1000)
    }))
    confidence    = optional(string, "default")
    max_memory_mb = optional(number, 10240)
    min_memory_mb = optional(number, 128)
    strategy      = optional(string, "cost")
  }))
  nullable = false

  validation {
    condition     = length(var.functions) > 0 && alltrue([for name in keys(var.functions) : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "Give at least one function in functions; a name has 1 to 31 lower-case letters, digits and hyphens, a letter first."
  }

  validation {
    condition = alltrue([
      for function in var.functions : can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}:[A-Za-z0-9_-]{1,128}$", function.arn))
    ])
    error_message = "Give each function's ARN with a version or an alias, e.g. arn:aws:lambda:eu-west-1:123456789012:function:shop-orders:live."
  }

  validation {
    condition = alltrue([
      for function in var.functions :
      length(function.alarm_arns) > 0 || function.on_new_version || function.schedule != null || function.traffic != null
    ])
    error_message = "Give each function something that starts a tuning: alarm_arns, on_new_version, schedule or traffic."
  }

  validation {
    condition = alltrue([
      for arn in flatten([for function in var.functions : function.alarm_arns]) :
      can(regex("^arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:[0-9]{12}:alarm:[A-Za-z0-9 _.:/()#@+=,&'-]{1,255}$", arn))
    ])
    error_message = "Give whole ARNs of alarms in alarm_arns, e.g. arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop-orders-slow."
  }

  validation {
    condition = alltrue([
      for function in var.functions : !function.on_new_version || !can(regex(":[0-9]+$", function.arn))
    ])
    error_message = "With on_new_version the ARN must name an alias: a version never changes."
  }

  validation {
    condition = alltrue([
      for function in var.functions : function.schedule == null || can(regex("^(rate\\([1-9][0-9]* (minutes?|hours?|days?)\\)|cron\\([^()]+\\))$", function.schedule))
    ])
    error_message = "Write a schedule as EventBridge does, e.g. rate(7 days) or cron(0 3 ? * MON *), in UTC."
  }

  validation {
    condition = alltrue([
      for function in var.functions : function.traffic == null || try(function.traffic.factor >= 1.2 && function.traffic.factor <= 1000 && function.traffic.least_invocations >= 1, false)
    ])
    error_message = "Use 1.2 to 1000 for traffic.factor and at least 1 for traffic.least_invocations."
  }

  validation {
    condition = alltrue([
      for function in var.functions : can(regex("^[A-Za-z0-9!_.*'()/-]{1,512}$", function.payload.key)) && !can(regex("(^|/)\\.\\.?(/|$)", function.payload.key)) && can(regex("^[A-Za-z0-9._-]{1,512}$", function.payload.version_id)) && function.payload.version_id != "null"
    ])
    error_message = "Give the key of an object, without . or .. as a part of it, and its version in payload: the VersionId that S3 gave the upload, not null."
  }

  validation {
    condition = alltrue([
      for function in var.functions : contains(["balanced", "cost", "speed"], function.strategy) && contains(["default", "sure"], function.confidence)
    ])
    error_message = "Use cost, speed or balanced for strategy, and default or sure for confidence."
  }

  validation {
    condition = alltrue([
      for function in var.functions : function.min_memory_mb >= 128 && function.min_memory_mb < function.max_memory_mb && function.max_memory_mb <= 10240
    ])
    error_message = "Use 128 to 10240 for min_memory_mb and max_memory_mb, the former below the latter."
  }
}

variable "github" {
  description = "A GitHub App that sends a repository_dispatch after each tuning: its id, its installation's, the repository, the ARN of the secret in Secrets Manager that holds its private key (PEM), and the event's type; api_url for GitHub Enterprise. The app needs the permission contents: write of that repository; null: nobody on GitHub is told."
  type = object({
    app_id                 = string
    installation_id        = string
    private_key_secret_arn = string
    repository             = string
    api_url                = optional(string, "https://api.github.com")
    event_type             = optional(string, "dyno-retuned")
  })
  default = null

  validation {
    condition = var.github == null || try(alltrue([
      can(regex("^[A-Za-z0-9.]{1,40}$", var.github.app_id)),
      can(regex("^[0-9]{1,20}$", var.github.installation_id)),
      can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$", var.github.private_key_secret_arn)),
      can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github.repository)),
      can(regex("^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*[A-Za-z0-9])?$", var.github.api_url)),
      can(regex("^[A-Za-z0-9_.-]{1,100}$", var.github.event_type)),
    ]), false)
    error_message = "Give app_id, installation_id (digits), private_key_secret_arn (the whole ARN), repository (owner/name), api_url (https, no slash at its end) and event_type of github."
  }
}

variable "least_hours_between" {
  description = "Hours from the start of a function's tuning to the next one's, whatever the first came to: what starts one before that is ignored."
  type        = number
  default     = 24
  nullable    = false

  validation {
    condition     = var.least_hours_between >= 24 && var.least_hours_between <= 8760 && floor(var.least_hours_between) == var.least_hours_between
    error_message = "Use a whole number of hours from 24 to 8760 (a year) for least_hours_between."
  }
}

variable "log_retention_days" {
  description = "Days that the logs of the functions are kept, as CloudWatch Logs knows them: 1, 3, 5, 7, 14, 30, ..."
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

variable "max_cost_usd" {
  description = "What the invocations of one tuning may cost in USD: measuring ends once they have cost so much. There is at most one tuning of a function in least_hours_between."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_cost_usd > 0 && var.max_cost_usd <= 1000
    error_message = "Use more than 0 and at most 1000 USD for max_cost_usd."
  }
}

variable "name_prefix" {
  description = "Start of all names, e.g. shop; no other power tuner of the account may have it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name_prefix))
    error_message = "Use 2 to 40 lower-case letters, digits and hyphens for name_prefix: a letter first, no hyphen last."
  }
}

variable "notice_topic_arn" {
  description = "ARN of an SNS topic, not encrypted by a key of your own, that gets a sentence for each tuning; null: none. An event of the source lambda-dyno.retune is put on the account's default bus in any case."
  type        = string
  default     = null

  validation {
    condition     = var.notice_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", var.notice_topic_arn))
    error_message = "Give the ARN of a standard topic in notice_topic_arn, e.g. arn:aws:sns:eu-west-1:123456789012:tunings."
  }
}

variable "package" {
  description = "Zip of this module's functions (lambda/retune): its path, or where it is in S3, and its SHA-256 in base64."
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

variable "permissions_boundary_arn" {
  description = "Permissions boundary of all roles; null: none."
  type        = string
  default     = null
}

variable "store" {
  description = "The evidence store: its bucket, with versions; the prefix in it, with a slash at its end, if it has one; the environment; and the KMS key that encrypts it, null for SSE-S3. Rows are added to ENV/main/retunings/."
  type = object({
    bucket      = string
    environment = string
    prefix      = optional(string, "")
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.store.bucket)) && can(regex("^[A-Za-z0-9_-]{1,64}$", var.store.environment))
    error_message = "Give the name of a bucket in store.bucket, and the environment's name (1 to 64 letters, digits, hyphens and underscores) in store.environment."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9_][A-Za-z0-9_.-]{0,63}/){0,8}$", var.store.prefix))
    error_message = "End store.prefix with a slash, or leave it empty, as the store has it: evidence/."
  }

  validation {
    condition     = var.store.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.store.kms_key_arn))
    error_message = "Give the ARN of a key, not of an alias, in store.kms_key_arn."
  }
}

variable "tuner_package" {
  description = "Zip of the power tuner's functions (lambda/power_tuner), in the same form as package."
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

variable "tuning_timeout_seconds" {
  description = "Seconds after which a tuning is given up, and cleaned up after."
  type        = number
  default     = 21600
  nullable    = false

  validation {
    condition     = var.tuning_timeout_seconds >= 60 && var.tuning_timeout_seconds <= 72000
    error_message = "Use 60 to 72000 seconds (20 hours) for tuning_timeout_seconds: a tuning ends before the next one may start."
  }
}
