variable "name_prefix" {
  description = "Start of the table's name, e.g. dyno-251120-0915-k3f9 gives dyno-251120-0915-k3f9-items."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name_prefix))
    error_message = "Use 2 to 40 lower-case letters, digits and hyphens for name_prefix: a letter first, no hyphen last."
  }
}

variable "protection" {
  description = "Protection of the data: deletion_protection refuses to delete the table, point_in_time_recovery keeps 35 days of backups. Both are off, as ephemeral environments want it."
  type = object({
    deletion_protection    = optional(bool, false)
    point_in_time_recovery = optional(bool, false)
  })
  default  = {}
  nullable = false
}
