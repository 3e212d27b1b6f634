variable "bucket" {
  description = "The bucket of Terraform's states: its name, whether it is managed here (false: it is there and somebody else's), and after how many days superseded versions of states go (0: never)."
  type = object({
    name                         = string
    managed                      = optional(bool, true)
    superseded_versions_end_days = optional(number, 90)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket.name))
    error_message = "Use 3 to 63 lower-case letters, digits, hyphens and dots for bucket.name."
  }

  validation {
    condition     = var.bucket.superseded_versions_end_days >= 0 && floor(var.bucket.superseded_versions_end_days) == var.bucket.superseded_versions_end_days
    error_message = "Use a whole number of days, or 0 for never, for bucket.superseded_versions_end_days."
  }
}

variable "github" {
  description = "Who may work in the account from GitHub's workflows: see the github_oidc module; null: nobody."
  type = object({
    deployed                 = optional(object({ name_prefix = string, state_key = string }))
    environment              = string
    ephemeral_name           = optional(string, "dyno")
    kms_key_arns             = optional(list(string), [])
    max_session_seconds      = optional(number, 7200)
    name_prefix              = string
    permissions_boundary_arn = optional(string)
    provider_arn             = optional(string)
    state_key_prefix         = string
    subjects = object({
      deploy = optional(list(string), [])
      gate   = optional(list(string), [])
      main   = optional(list(string), [])
      plan   = optional(list(string), [])
      tune   = optional(list(string), [])
    })
  })
  default = null
}
