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

  environments = ["dev", "prod"]
  name_prefix  = "dyno-evidence"

  store = {
    bucket = "dyno-evidence-111122223333-eu-west-1"
    prefix = "dyno/"
  }
}
