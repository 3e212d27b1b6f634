output "boundary_arns" {
  description = "Permissions boundaries by role (gate, deploy) of what it makes."
  value       = module.bootstrap.boundary_arns
}

output "bucket_name" {
  description = "Name of the bucket of Terraform's states."
  value       = module.bootstrap.bucket_name
}

output "evidence" {
  description = "The evidence store, kept for a bootstrap that is not told again; null: there is none."
  value       = try({ for name, value in var.evidence : name => value if name != "adopt" }, null)
}

output "keep_versions_days" {
  description = "Days that superseded versions of states are kept; 0: for ever."
  value       = var.bucket.superseded_versions_end_days
}

output "kms_key_arns" {
  description = "ARNs of the KMS keys that power tuners of the roles may use."
  value       = try(var.github.kms_key_arns, [])
}

output "repository" {
  description = "The repository that the roles are for: its name as in the subjects, and its branch."
  value       = var.repository
}

output "role_arns" {
  description = "ARNs of the roles by name (plan, gate, main, deploy, tune) that workflows assume."
  value       = module.bootstrap.role_arns
}
