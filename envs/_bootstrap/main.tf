# What an account needs before the first run: `dyno bootstrap` applies this root, which is no
# environment (it has no dyno.toml). Its state is in the bucket that it describes: the harness
# makes the bucket if it is missing, and the first apply adopts it.

terraform {
  required_version = ">= 1.11"

  # bucket, key and region come from the harness
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

import {
  for_each = toset(var.bucket.managed ? [var.bucket.name] : [])

  to = module.bootstrap.aws_s3_bucket.this[0]
  id = each.key
}

module "bootstrap" {
  source = "../../modules/bootstrap"

  bucket = var.bucket
  github = var.github
}

import {
  for_each = toset(try(var.evidence.adopt, false) ? [var.evidence.bucket] : [])

  to = module.evidence_store[0].aws_s3_bucket.this
  id = each.key
}

locals {
  # by the subjects: which roles there are is known before they are made
  roles = [for role, subjects in try(var.github.subjects, {}) : role if length(subjects) > 0]

  role_arns = { for role in local.roles : role => module.bootstrap.role_arns[role] }
  of_main   = { for role, arn in local.role_arns : role => arn if contains(["deploy", "main", "tune"], role) }
}

# Pull requests add to their own keys, the roles of the default branch to main's and read them.
module "evidence_store" {
  source = "../../modules/evidence_store"
  count  = var.evidence == null ? 0 : 1

  bucket_name = var.evidence.bucket
  prefix      = var.evidence.prefix
  end_days    = var.evidence.end_days

  environments = {
    (var.evidence.environment) = {
      main = local.of_main
      pr   = { for role, arn in local.role_arns : role => arn if role == "gate" }

      retunings = { for arn in var.evidence.retune_role_arns : replace(reverse(split("/", arn))[0], "/[^A-Za-z0-9_-]/", "-") => arn }
    }
  }

  readers = {
    role_arns = local.of_main
  }
}
