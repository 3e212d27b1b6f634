terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "bootstrap" {
  source = "../.."

  bucket = {
    name = "dyno-state-111122223333-eu-west-1"
  }

  github = {
    environment      = "dev"
    name_prefix      = "github-dyno-dev"
    state_key_prefix = "lambda-dyno/dev/"

    deployed = {
      name_prefix = "dyno-dev"
      state_key   = "lambda-dyno/dev/deployed.tfstate"
    }

    subjects = {
      plan   = ["repo:acme/tuning:pull_request"]
      gate   = ["repo:acme/tuning:pull_request"]
      main   = ["repo:acme/tuning:environment:dyno-main"]
      tune   = ["repo:acme/tuning:ref:refs/heads/main"]
      deploy = ["repo:acme/tuning:environment:dev"]
    }
  }
}
