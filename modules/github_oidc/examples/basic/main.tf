terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "github_oidc" {
  source = "../.."

  name_prefix = "github-dyno-prod"
  environment = "prod"

  subjects = {
    plan   = ["repo:acme/tuning:pull_request", "repo:acme/tuning:ref:refs/heads/main"]
    gate   = ["repo:acme/tuning:pull_request", "repo:acme/tuning:environment:dyno-sweep"]
    main   = ["repo:acme/tuning:environment:dyno-main"]
    tune   = ["repo:acme/tuning:environment:dyno-tune"]
    deploy = ["repo:acme/tuning:environment:prod"]
  }

  deployed = {
    name_prefix = "dyno-prod"
    state_key   = "lambda-dyno/prod/deployed.tfstate"
  }

  state = {
    bucket     = "dyno-state-111122223333-eu-west-1"
    key_prefix = "lambda-dyno/prod/"
  }
}
