terraform {
  backend "s3" {
    bucket               = "acme-terraform-state"
    key                  = "shop/prod.tfstate"
    region               = "eu-central-1"
    profile              = "acme-prod"
    dynamodb_table       = "terraform-locks"
    workspace_key_prefix = "shop"
  }
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}
locals {
  name = "${var.name_prefix}-${terraform.workspace}"
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

resource "aws_lambda_function" "this" {
  function_name    = "${local.name}-hello"
  role             = aws_iam_role.lambda.arn
  runtime          = "python3.12"
  handler          = "app.handler"
  memory_size      = 256
  filename         = var.packages["hello"].path
  source_code_hash = var.packages["hello"].sha256_base64
}
output "function_arn" { value = aws_lambda_function.this.arn }
