output "account_id" {
  description = "Account that everything is in."
  value       = data.aws_caller_identity.this.account_id
}

output "api_authorization" {
  description = "Who may call the API: AWS_IAM or NONE."
  value       = module.service.api_authorization
}

output "api_url" {
  description = "Base URL of the API, stage included, without a slash at its end."
  value       = module.service.api_url
}

output "architecture" {
  description = "Processor of the CRUD function."
  value       = var.architecture
}

output "function_alias" {
  description = "Alias of the CRUD function that the API calls."
  value       = module.service.function_alias
}

output "function_arn" {
  description = "ARN of the CRUD function, unqualified: what is tuned."
  value       = module.service.function_arn
}

output "function_name" {
  description = "Name of the CRUD function."
  value       = module.service.function_name
}

output "log_format" {
  description = "Format of Lambda's own log lines."
  value       = var.log_format
}

output "memory_mb" {
  description = "Memory size of the CRUD function in MB."
  value       = var.memory_mb
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

output "table_name" {
  description = "Name of the table."
  value       = module.service.table_name
}

output "tuner_isolation" {
  description = "How the power tuner keeps callers away from what it measures: clone, a temporary copy, where tuner_copies lets it; else alias."
  value       = var.tuner_copies ? "clone" : "alias"
}
