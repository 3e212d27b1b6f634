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

module "environment" {
  source = "../../modules/environment"

  api_authorization  = "AWS_IAM"
  log_retention_days = 7

  architecture             = var.architecture
  canary                   = var.canary
  log_format               = var.log_format
  memory_mb                = var.memory_mb
  name_prefix              = var.name_prefix
  packages                 = var.packages
  permissions_boundary_arn = var.permissions_boundary_arn
  tuner_copies             = var.tuner_copies
}

output "environment" {
  description = "What the harness needs to know: see modules/environment."
  value       = module.environment
}
