# The power tuner alone, for `dyno tune --function`: no environment, so no dyno.toml.

terraform {
  required_version = ">= 1.11"

  # the harness puts an S3 backend in its place where the account has a state bucket
  backend "local" {}

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100" # what was tried; 6.x was not
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

# aws_region fails in regions that are newer than the provider; this one knows them, too
data "aws_service" "lambda" {
  service_id = "lambda"
}

locals {
  copies = var.copies == null ? null : {
    role_arns  = var.copies.role_arns
    layer_arns = var.copies.layer_arns
    in_vpc     = var.copies.in_vpc
    packages   = { for name in keys(var.copy_packages) : name => module.packages.packages["copy-${name}"] }
  }
}

module "packages" {
  source = "../../modules/packages"

  name_prefix = var.name_prefix
  packages    = merge(var.packages, { for name, package in var.copy_packages : "copy-${name}" => package })
}

module "power_tuner" {
  source = "../../modules/power_tuner"

  name_prefix              = var.name_prefix
  architecture             = var.architecture
  assumable_role_arns      = var.assumable_role_arns
  copies                   = local.copies
  package                  = module.packages.packages["power_tuner"]
  kms_key_arns             = var.kms_key_arns
  log_retention_days       = 7
  payload_bucket           = var.payload_bucket
  permissions_boundary_arn = var.permissions_boundary_arn
  processor_function_arns  = var.processor_function_arns
  total_timeout_seconds    = var.total_timeout_seconds
  tunable_function_arns    = var.tunable_function_arns
}
