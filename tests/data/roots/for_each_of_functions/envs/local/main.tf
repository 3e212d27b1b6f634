terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}
variable "name_prefix" { type = string }
variable "packages" { type = map(object({ path = string, sha256_base64 = string })) }

variable "tags" {
  type    = list(object({ key = string, value = string }))
  default = [{ key = "team", value = "shop" }]
}
variable "memory_mb" {
  type    = map(number)
  default = { get = 256, put = 512 }
}
provider "aws" {
  default_tags {
    tags = { for tag in var.tags : tag.key => tag.value }
  }
}
resource "aws_iam_role" "lambda" {
  name = "${var.name_prefix}-lambda"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.lambda.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_lambda_function" "this" {
  for_each         = var.memory_mb
  function_name    = "${var.name_prefix}-${each.key}"
  role             = aws_iam_role.lambda.arn
  runtime          = "python3.12"
  handler          = "app.handler"
  memory_size      = each.value
  filename         = var.packages["hello"].path
  source_code_hash = var.packages["hello"].sha256_base64
}
output "function_arn" { value = aws_lambda_function.this["get"].arn }
output "function_arns" { value = { for name, function in aws_lambda_function.this : name => function.arn } }
output "memory_mb" { value = var.memory_mb }
output "region" { value = ["us-east-1", "eu-west-1"] }
output "architecture" { value = { for name, function in aws_lambda_function.this : name => function.architectures } }
