terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "function" {
  source = "../.."

  name_prefix = "dyno-251120-0915-k3f9"
  name        = "hello"
  handler     = "hello.handler"
  memory_mb   = 1024

  package = {
    path          = "${path.module}/hello.zip"
    sha256_base64 = filebase64sha256("${path.module}/hello.zip")
  }

  environment = {
    TABLE_NAME = "items"
  }

  permissions = {
    Items = {
      actions   = ["dynamodb:GetItem", "dynamodb:Scan"]
      resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/items"]
    }
  }
}
