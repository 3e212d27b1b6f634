output "api_id" {
  description = "Id of the REST API."
  value       = aws_api_gateway_rest_api.this.id
}

output "authorization" {
  description = "Who may call: AWS_IAM or NONE."
  value       = var.authorization
  depends_on  = [aws_api_gateway_method.this]
}

output "execution_arn" {
  description = "Start of the ARNs that an execute-api:Invoke policy names, with the stage."
  value       = "${aws_api_gateway_rest_api.this.execution_arn}/${aws_api_gateway_stage.this.stage_name}"
}

output "invoke_url" {
  description = "Base URL of the API, stage included, without a slash at its end."
  value       = aws_api_gateway_stage.this.invoke_url

  # a URL that answers, within its limits
  depends_on = [aws_api_gateway_method_settings.this, aws_lambda_permission.this]
}
