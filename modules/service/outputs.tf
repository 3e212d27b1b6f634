output "api_authorization" {
  description = "Who may call the API: AWS_IAM or NONE."
  value       = module.api.authorization
}

output "api_url" {
  description = "Base URL of the API, stage included, without a slash at its end."
  value       = module.api.invoke_url
}

output "function_alias" {
  description = "Alias that the API calls."
  value       = module.function.alias_name
}

output "function_arn" {
  description = "ARN of the CRUD function, unqualified."
  value       = module.function.function_arn
}

output "function_name" {
  description = "Name of the CRUD function, known before it is made."
  value       = module.function.function_name
}

output "table_name" {
  description = "Name of the table."
  value       = module.table.table_name
}
