terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}
variable "name_prefix" { type = string }
variable "packages" { type = map(object({ path = string, sha256_base64 = string })) }

variable "db_password" {
  type      = string
  sensitive = true
}
provider "aws" {
  access_key = "test"
  secret_key = "test" # pragma: allowlist secret
  region     = "us-east-1"
  endpoints {
    lambda = "http://localhost:4566"
    ssm    = "http://localhost:4566"
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

resource "aws_ssm_parameter" "password" {
  name  = "/${var.name_prefix}/db/password"
  type  = "SecureString"
  value = var.db_password
}
resource "aws_lambda_layer_version" "common" {
  layer_name = "${var.name_prefix}-common"
  filename   = var.packages["hello"].path
}

resource "aws_lambda_function" "this" {
  function_name    = "${var.name_prefix}-hello"
  role             = aws_iam_role.lambda.arn
  runtime          = "python3.12"
  handler          = "app.handler"
  memory_size      = 256
  filename         = var.packages["hello"].path
  source_code_hash = var.packages["hello"].sha256_base64
  architectures    = ["arm64"]
  layers           = [aws_lambda_layer_version.common.arn]
  environment {
    variables = { PASSWORD = var.db_password }
  }
}
output "function_arn" { value = aws_lambda_function.this.arn }
output "db_password" {
  value     = var.db_password
  sensitive = true
}
