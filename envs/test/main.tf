terraform {
  required_version = ">= 1.11"

  # bucket, key and region come from the harness: a key per run, locked by a file beside it
  backend "s3" {
    use_lockfile = true
  }

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

provider "aws" {
  default_tags {
    tags = var.tags
  }
}

data "aws_caller_identity" "this" {}

data "aws_region" "this" {}

module "service" {
  source = "../../modules/service"

  name_prefix        = var.name_prefix
  package            = var.packages.crud_api
  log_retention_days = 7

  api = {
    authorization = "AWS_IAM"
  }

  function = {
    architecture = var.architecture
    log_format   = var.log_format
    memory_mb    = var.memory_mb
  }
}
