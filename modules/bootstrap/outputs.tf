output "boundary_arns" {
  description = "Permissions boundaries by role (gate, deploy) of what it makes; empty without github."
  value       = try(module.github_oidc[0].boundary_arns, {})
}

output "bucket_name" {
  description = "Name of the bucket of Terraform's states, private and versioned."
  value       = var.bucket.name

  depends_on = [
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

output "role_arns" {
  description = "ARNs of the roles by name (plan, gate, main, deploy, tune) that workflows assume; empty without github."
  value       = try(module.github_oidc[0].role_arns, {})
}
