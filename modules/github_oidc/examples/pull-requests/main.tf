terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# For pull requests only, with the account's own provider and an organisation's boundary.
module "github_oidc" {
  source = "../.."

  name_prefix              = "github-shop"
  environment              = "test"
  ephemeral_name           = "shop"
  kms_key_arns             = ["arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
  max_session_seconds      = 3600
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/everybody"
  provider_arn             = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"

  subjects = {
    gate = ["repo:acme@1234/tuning@5678:pull_request"]
  }

  state = {
    bucket     = "states"
    key_prefix = "lambda-dyno/test/"
  }
}
