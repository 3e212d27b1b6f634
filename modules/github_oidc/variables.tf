variable "deployed" {
  description = "The standing environment, which the deploy role deploys, the plan role reads and the tune role measures: start of its names, e.g. dyno-prod, and key of its state; null: there is none."
  type = object({
    name_prefix = string
    state_key   = string
  })
  default = null

  validation {
    condition     = var.deployed == null || can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.deployed.name_prefix))
    error_message = "Use 2 to 40 lower-case letters, digits and hyphens for deployed.name_prefix: a letter first, no hyphen last."
  }

  validation {
    condition = var.deployed == null || !anytrue([
      for name in [var.ephemeral_name, var.name_prefix] : startswith("${name}-", "${try(var.deployed.name_prefix, "")}-")
    ])
    error_message = "Use a deployed.name_prefix that neither ephemeral environments nor these roles begin with: the deploy role may change all that begins with it."
  }

  validation {
    condition     = var.deployed == null || !can(regex("^${var.ephemeral_name}-.{6}-", "${try(var.deployed.name_prefix, "")}-"))
    error_message = "Use a deployed.name_prefix that does not look like a run's, such as dyno-251120-0915-k3f9: the gate role may remove those."
  }

  validation {
    condition     = var.deployed == null || can(regex("^[^*?]+\\.tfstate$", var.deployed.state_key))
    error_message = "Give the key of a state file (.tfstate), without wildcards, as deployed.state_key."
  }
}

variable "environment" {
  description = "Value of the tag dyno:env of everything that the gate and deploy roles make, e.g. dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.environment))
    error_message = "Use 1 to 64 letters, digits, hyphens and underscores for environment."
  }
}

variable "ephemeral_name" {
  description = "First part of the names of ephemeral environments, e.g. dyno for dyno-251120-0915-k3f9: the gate role may touch only names of that form."
  type        = string
  default     = "dyno"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.ephemeral_name))
    error_message = "Use 1 to 16 lower-case letters, digits and hyphens for ephemeral_name, a letter first."
  }
}

variable "kms_key_arns" {
  description = "ARNs of the customer managed KMS keys that power tuners of the gate and deploy roles may use, through Lambda and S3 alone: the boundary allows no other."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "Give ARNs of keys, not of aliases, in kms_key_arns, e.g. arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab."
  }
}

variable "max_session_seconds" {
  description = "Longest session of a role in seconds, 3600 to 43200; a run that takes longer loses its credentials before it can clean up."
  type        = number
  default     = 7200
  nullable    = false

  validation {
    condition     = var.max_session_seconds >= 3600 && var.max_session_seconds <= 43200 && floor(var.max_session_seconds) == var.max_session_seconds
    error_message = "Use a whole number of seconds from 3600 to 43200 for max_session_seconds."
  }
}

variable "name_prefix" {
  description = "Start of the names of roles and boundaries, e.g. github-dyno-dev; not the start of an environment's names, or the roles could change themselves."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name_prefix))
    error_message = "Use 2 to 40 lower-case letters, digits and hyphens for name_prefix: a letter first, no hyphen last."
  }

  validation {
    condition     = !can(regex("^${var.ephemeral_name}-.{6}-", var.name_prefix))
    error_message = "Use a name_prefix that does not look like a run's, such as dyno-251120-0915-k3f9: the gate role may remove those."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles themselves, where the organisation asks for one; null: none."
  type        = string
  default     = null
}

variable "provider_arn" {
  description = "ARN of the account's OIDC provider for token.actions.githubusercontent.com, of which there can be only one; null: it is made here."
  type        = string
  default     = null

  validation {
    condition     = var.provider_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.provider_arn))
    error_message = "Give the ARN of a provider for token.actions.githubusercontent.com as provider_arn, e.g. arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com."
  }
}

variable "state" {
  description = "Where Terraform's states are: the bucket, and what the keys of ephemeral environments begin with, e.g. lambda-dyno/dev/."
  type = object({
    bucket     = string
    key_prefix = string
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state.bucket))
    error_message = "Give the name of an S3 bucket as state.bucket."
  }

  validation {
    condition     = can(regex("^[^*?]+/$", var.state.key_prefix))
    error_message = "Give a key prefix that ends with / and has no wildcards as state.key_prefix."
  }
}

variable "subjects" {
  description = "Exact sub claims of GitHub's tokens that may assume each role, e.g. repo:acme/tuning:pull_request, repo:acme/tuning:ref:refs/heads/main, repo:acme/tuning:environment:prod; repositories with immutable subjects: repo:acme@1234/tuning@5678:pull_request. A role without subjects is not made."
  type = object({
    deploy = optional(list(string), [])
    gate   = optional(list(string), [])
    main   = optional(list(string), [])
    plan   = optional(list(string), [])
    tune   = optional(list(string), [])
  })
  nullable = false

  validation {
    condition     = length(flatten(values(var.subjects))) > 0
    error_message = "Give at least one subject."
  }

  validation {
    condition = alltrue([
      for subject in flatten(values(var.subjects)) :
      can(regex("^repo:[^*?:/\\s]+/[^*?:/\\s]+:(environment:[^*?]+|pull_request|ref:refs/(heads|tags)/[^*?]+)$", subject))
    ])
    error_message = "Give each subject exactly, as repo:OWNER/NAME:pull_request, repo:OWNER/NAME:ref:refs/heads/BRANCH or repo:OWNER/NAME:environment:NAME: wildcards are refused."
  }

  validation {
    condition     = alltrue([for subject in var.subjects.deploy : can(regex("^[^:]+:[^:]+:environment:", subject))])
    error_message = "Give the deploy role to GitHub environments only (repo:OWNER/NAME:environment:NAME), where reviewers can be asked for."
  }

  validation {
    condition     = !anytrue([for subject in var.subjects.main : endswith(subject, ":pull_request")])
    error_message = "Give the main role to a branch or a GitHub environment: what it measures is what pull requests are held against."
  }

  validation {
    condition     = !anytrue([for subject in var.subjects.tune : endswith(subject, ":pull_request")])
    error_message = "Give the tune role to a branch or a GitHub environment: it calls the deployed function, and whoever may push a branch may open a pull request."
  }

  validation {
    condition     = length(concat(var.subjects.deploy, var.subjects.plan, var.subjects.tune)) == 0 || var.deployed != null
    error_message = "Say what the deploy, plan and tune roles are for: deployed is null."
  }
}
