variable "name_prefix" {
  description = "Start of the bucket's name, e.g. dyno-251120-0915-k3f9."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name_prefix))
    error_message = "Use 2 to 40 lower-case letters, digits and hyphens for name_prefix: a letter first, no hyphen last."
  }
}

variable "packages" {
  description = "Zips by name: their paths and their SHA-256 in base64."
  type = map(object({
    path          = string
    sha256_base64 = string
  }))
  nullable = false

  validation {
    condition     = length(var.packages) > 0 && alltrue([for package in var.packages : endswith(package.path, ".zip")])
    error_message = "Give the path of a .zip file for each of at least one package."
  }
}
