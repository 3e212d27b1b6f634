terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}

provider "aws" {
  profile = var.profile
  region  = "us-east-1"
}
variable "profile" {
  type    = string
  default = "acme-dev"
}
variable "lambda_zip" { type = string }
variable "project" {
  type    = string
  default = "orders"
}
resource "aws_iam_role" "lambda" {
  name = "${var.project}-lambda"
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

resource "aws_lambda_function" "publisher" {
  function_name = "${var.project}-publisher"
  role          = aws_iam_role.lambda.arn
  runtime       = "python3.12"
  handler       = "app.handler"
  filename      = var.lambda_zip
  environment {
    variables = { STAGE = "test" }
  }
}
output "publisher_arn" { value = aws_lambda_function.publisher.arn }
