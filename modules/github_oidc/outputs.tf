output "boundary_arns" {
  description = "Permissions boundaries by role (gate, deploy): every role that it makes must have its own; give it to the environment as permissions_boundary_arn."
  value       = { for role, policy in aws_iam_policy.boundary : role => policy.arn }
}

output "provider_arn" {
  description = "ARN of the OIDC provider, made here or not."
  value       = one(concat(aws_iam_openid_connect_provider.this[*].arn, var.provider_arn[*]))
}

output "role_arns" {
  description = "ARNs of the roles by name (plan, gate, main, deploy, tune): what a workflow assumes."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
  depends_on  = [aws_iam_role_policy.this]
}

output "role_names" {
  description = "Names of the roles by name (plan, gate, main, deploy, tune)."
  value       = { for name, role in aws_iam_role.this : name => role.name }
}
