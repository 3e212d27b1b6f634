output "function_arns" {
  description = "ARN of each of the module's own functions: payload, record, traffic, and dispatch with github."
  value       = { for name, function in aws_lambda_function.this : name => function.arn }
}

output "payload_prefix" {
  description = "Where the payloads are in the store: keys begin with it."
  value       = local.payload_prefix
}

output "role_arns" {
  description = "ARN of each role: of the functions by their names, of the state machine (states), of the rules (events), and of the tuner's functions by their states (tuner-prepare, ...)."
  value = merge(
    { for name, role in aws_iam_role.this : name => role.arn },
    { for state, arn in module.tuner.role_arns : "tuner-${state}" => arn },
  )
}

output "rule_names" {
  description = "Names of the rules, by function and cause, e.g. orders-alarm."
  value       = { for name, rule in aws_cloudwatch_event_rule.this : name => rule.name }
}

output "state_machine_arn" {
  description = "ARN of the state machine that the rules start."
  value       = aws_sfn_state_machine.this.arn
}

output "table_name" {
  description = "Name of the table of leases: which function was tuned, and until when it is not again."
  value       = aws_dynamodb_table.leases.name
}

output "tuner_state_machine_arn" {
  description = "ARN of the power tuner's state machine, which measures copies only."
  value       = module.tuner.state_machine_arn
}
