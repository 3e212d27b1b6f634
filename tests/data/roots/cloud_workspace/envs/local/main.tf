terraform {
  cloud {
    workspaces { name = "learn-lambda-api-gateway" }
  }
  required_version = "~> 1.2"
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}
variable "aws_region" {
  type    = string
  default = "us-east-1"
}
provider "aws" {
  region = var.aws_region
}
variable "name_prefix" { type = string }
variable "packages" { type = map(object({ path = string, sha256_base64 = string })) }
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

resource "aws_s3_bucket" "code" {
  bucket = "${var.name_prefix}-code"
}
resource "aws_s3_object" "hello" {
  bucket = aws_s3_bucket.code.id
  key    = "hello.zip"
  source = var.packages["hello"].path
  etag   = filemd5(var.packages["hello"].path)
}
resource "aws_lambda_function" "hello" {
  function_name    = "${var.name_prefix}-hello"
  s3_bucket        = aws_s3_bucket.code.id
  s3_key           = aws_s3_object.hello.key
  source_code_hash = var.packages["hello"].sha256_base64
  runtime          = "python3.12"
  handler          = "app.handler"
  role             = aws_iam_role.lambda.arn
}
resource "aws_cloudwatch_log_group" "hello" {
  name              = "/aws/lambda/${aws_lambda_function.hello.function_name}"
  retention_in_days = 30
}
output "function_arn" { value = aws_lambda_function.hello.arn }
output "function_name" { value = { hello = aws_lambda_function.hello.function_name } }
