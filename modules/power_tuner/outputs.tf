output "function_arns" {
  description = "ARN of each of the tuner's functions, by state: prepare, measure, analyze, optimize, clean-up."
  value       = { for name, function in aws_lambda_function.this : name => function.arn }
}

output "role_arns" {
  description = "ARN of each function's role, by state."
  value       = { for name, role in aws_iam_role.function : name => role.arn }
}

output "state_machine_arn" {
  description = "ARN of the state machine: start an execution of it to tune a function."
  value       = aws_sfn_state_machine.this.arn

  # usable only once the rule that cleans up after stopped executions is in place
  depends_on = [
    aws_cloudwatch_event_target.clean_up,
    aws_iam_role_policy.function,
    aws_lambda_permission.rule,
  ]
}

output "state_machine_name" {
  description = "Name of the state machine."
  value       = aws_sfn_state_machine.this.name
}
