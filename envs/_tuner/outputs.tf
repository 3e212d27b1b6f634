output "account_id" {
  description = "Account that everything is in."
  value       = data.aws_caller_identity.this.account_id
}

output "name_prefix" {
  description = "Start of all names."
  value       = var.name_prefix
}

output "region" {
  description = "Region that everything is in."
  value       = data.aws_service.lambda.region
}

output "state_machine_arn" {
  description = "ARN of the power tuner's state machine."
  value       = module.power_tuner.state_machine_arn
}
