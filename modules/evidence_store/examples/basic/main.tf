terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "evidence_store" {
  source = "../.."

  bucket_name = "dyno-evidence-111122223333-eu-west-1"

  environments = {
    dev = {
      pr = { gate = "arn:aws:iam::111122223333:role/github-dyno-dev-gate" }

      main = {
        main = "arn:aws:iam::111122223333:role/github-dyno-dev-main"
        tune = "arn:aws:iam::111122223333:role/github-dyno-dev-tune"
      }
    }
  }

  readers = {
    role_arns = { tune = "arn:aws:iam::111122223333:role/github-dyno-dev-tune" }
  }
}
