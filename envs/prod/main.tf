terraform {
  required_version = ">= 1.11"

  # bucket, key and region come from the harness: a key per run, locked by a file beside it
  backend "s3" {
    use_lockfile           = true
    skip_region_validation = true # Terraform's list is as old as Terraform
  }

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100" # what was tried; 6.x was not, and from 6.23 on it has no buckets locally
    }
  }
}

provider "aws" {
  skip_region_validation = true # its list ends with the regions of spring 2025

  default_tags {
    tags = var.tags
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

# aws_region fails in regions that are newer than the provider; this one knows them, too
data "aws_service" "lambda" {
  service_id = "lambda"
}

locals {
  # By name, not by the function's attribute, so that both modules are made at the same time.
  function_arn = join(":", [
    "arn:${data.aws_partition.this.partition}:lambda",
    data.aws_service.lambda.region,
    data.aws_caller_identity.this.account_id,
    "function:${module.service.function_name}",
  ])
}

module "packages" {
  source = "../../modules/packages"

  name_prefix = var.name_prefix
  packages    = var.packages
}

module "service" {
  source = "../../modules/service"

  name_prefix              = var.name_prefix
  package                  = module.packages.packages["crud_api"]
  canary                   = var.canary
  permissions_boundary_arn = var.permissions_boundary_arn
  log_retention_days       = 90

  api = {
    authorization = "AWS_IAM"
  }

  function = {
    architecture = var.architecture
    log_format   = var.log_format
    memory_mb    = var.memory_mb
  }
}

module "power_tuner" {
  source = "../../modules/power_tuner"

  name_prefix              = var.name_prefix
  architecture             = var.architecture
  package                  = module.packages.packages["power_tuner"]
  permissions_boundary_arn = var.permissions_boundary_arn
  log_retention_days       = 90
  tunable_function_arns    = [local.function_arn]
}
