variable "create" {
  type    = bool
  default = true
}
variable "create_role" {
  type    = bool
  default = true
}
variable "function_name" {
  type    = string
  default = ""
}
variable "handler" {
  type    = string
  default = ""
}
variable "runtime" {
  type    = string
  default = ""
}
variable "publish" {
  type    = bool
  default = false
}
variable "memory_size" {
  type    = number
  default = 128
}
variable "local_existing_package" {
  type    = string
  default = null
}
variable "tags" {
  type    = map(string)
  default = {}
}
resource "aws_iam_role" "lambda" {
  count              = var.create && var.create_role ? 1 : 0
  name               = var.function_name
  assume_role_policy = data.aws_iam_policy_document.assume_role[0].json
  tags               = var.tags
}
data "aws_iam_policy_document" "assume_role" {
  count = var.create && var.create_role ? 1 : 0
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}
resource "aws_cloudwatch_log_group" "lambda" {
  count = var.create ? 1 : 0
  name  = "/aws/lambda/${var.function_name}"
}
resource "aws_lambda_function" "this" {
  count            = var.create ? 1 : 0
  function_name    = var.function_name
  role             = aws_iam_role.lambda[0].arn
  handler          = var.handler
  runtime          = var.runtime
  publish          = var.publish
  memory_size      = var.memory_size
  filename         = var.local_existing_package
  source_code_hash = try(filebase64sha256(var.local_existing_package), null)
  tags             = var.tags
  depends_on       = [aws_cloudwatch_log_group.lambda]
}
output "lambda_function_arn" {
  description = "The ARN of the Lambda Function"
  value       = try(aws_lambda_function.this[0].arn, "")
}
output "lambda_role_name" {
  value = try(aws_iam_role.lambda[0].name, "")
}
