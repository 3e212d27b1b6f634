# A root with names of its own, a module beside it, and two functions behind an HTTP API.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }

  backend "s3" {
    bucket = "shop-states"
    key    = "shop.tfstate"
    region = "us-east-1"
  }
}

variable "project" { type = string }
variable "stage" { type = string }
variable "app_zip" { type = string }
variable "labels" {
  type    = map(string)
  default = {}
}
variable "memory" {
  type    = map(number)
  default = { orders = 128, stock = 128 }
}

locals {
  routes = { orders = "GET /orders/{id}", stock = "GET /stock/{id}" }
}

provider "aws" {
  region = "us-east-1"
  default_tags {
    tags = merge(var.labels, { stage = var.stage })
  }
}

resource "aws_iam_role" "functions" {
  name = "${var.project}-functions"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.functions.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_lambda_function" "this" {
  for_each = local.routes

  function_name    = "${var.project}-${each.key}"
  role             = aws_iam_role.functions.arn
  runtime          = "python3.13"
  handler          = "app.handler"
  memory_size      = var.memory[each.key]
  timeout          = 10
  filename         = var.app_zip
  source_code_hash = filebase64sha256(var.app_zip)
}

module "api" {
  source  = "../modules/api"
  project = var.project
  functions = {
    for name, function in aws_lambda_function.this : name => {
      route      = local.routes[name]
      invoke_arn = function.invoke_arn
      name       = function.function_name
    }
  }
}

output "endpoint" { value = module.api.endpoint }
output "functions" { value = { for name, function in aws_lambda_function.this : name => function.arn } }
