variable "bucket" {
  description = "The bucket of Terraform's states: see the bootstrap module."
  type = object({
    name                         = string
    managed                      = bool
    superseded_versions_end_days = number
  })
  nullable = false
}

variable "evidence" {
  description = "The evidence store of the environment: see the evidence_store module; whether its bucket is there already, of a bootstrap that was interrupted (adopt); null: there is none."
  type = object({
    adopt       = bool
    bucket      = string
    end_days    = optional(map(number), {})
    environment = string
    prefix      = string

    retune_role_arns = optional(list(string), [])
  })
  default = null
}

variable "github" {
  description = "Who may work in the account from GitHub's workflows: see the bootstrap module; null: nobody."
  type = object({
    deployed         = object({ name_prefix = string, state_key = string })
    environment      = string
    ephemeral_name   = string
    kms_key_arns     = optional(list(string), [])
    name_prefix      = string
    provider_arn     = optional(string)
    state_key_prefix = string
    subjects         = object({ deploy = list(string), gate = list(string), main = list(string), plan = list(string), tune = list(string) })
  })
  default = null
}

variable "repository" {
  description = "The repository that github was made for, kept for a bootstrap that is not told again; null: none."
  type = object({
    branch = string
    claim  = string
  })
  default = null
}

variable "tags" {
  description = "Tags of everything; dyno:bootstrap says which environment's bootstrap it belongs to."
  type        = map(string)
  nullable    = false
}
