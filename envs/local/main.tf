terraform {
  required_version = ">= 1.11"

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

module "environment" {
  source = "../../modules/environment"

  api_authorization  = "NONE"
  log_retention_days = 1

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
