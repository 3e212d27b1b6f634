terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "table" {
  source = "../.."

  name_prefix = "dyno-251120-0915-k3f9"

  protection = {
    deletion_protection    = true
    point_in_time_recovery = true
  }
}
