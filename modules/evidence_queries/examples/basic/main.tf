terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "evidence_queries" {
  source = "../.."

  name_prefix = "dyno-evidence"
  store_envs  = ["dev", "prod"]

  evidence = {
    bucket = "dyno-evidence-111122223333-eu-west-1"
    prefix = "dyno/"
  }
}
