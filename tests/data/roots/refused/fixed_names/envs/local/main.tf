terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}

provider "aws" {
  profile = "default"
  region  = "us-east-1"
}
resource "aws_lambda_function" "publisher" {
  function_name = "PublisherFunction"
  role          = "arn:aws:iam::123456789012:role/lambda"
  runtime       = "nodejs22.x"
  handler       = "app.handler"
  filename      = "lambda.zip"
}
output "PublisherFunction" { value = aws_lambda_function.publisher.arn }
