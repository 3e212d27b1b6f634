output "alias_arn" {
  description = "ARN of the alias."
  value       = aws_lambda_alias.this.arn
}

output "alias_invoke_arn" {
  description = "What an API Gateway integration calls to invoke the alias."
  value       = aws_lambda_alias.this.invoke_arn
}

output "alias_name" {
  description = "Name of the alias."
  value       = aws_lambda_alias.this.name
}

output "function_arn" {
  description = "ARN of the function, unqualified."
  value       = aws_lambda_function.this.arn
  depends_on  = [aws_iam_role_policy.this]
}

output "function_name" {
  description = "Name of the function, known before it is made."
  value       = local.function_name
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "role_name" {
  description = "Name of the function's role."
  value       = aws_iam_role.this.name
}

output "version" {
  description = "The published version that the alias points at."
  value       = aws_lambda_function.this.version
}
