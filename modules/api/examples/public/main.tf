terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Everybody may call it, and who did is logged.
module "api" {
  source = "../.."

  name_prefix        = "dyno-variant"
  access_logs        = true
  authorization      = "NONE"
  log_retention_days = 3
  paths              = ["/ping"]
  stage_name         = "v2"

  target = {
    alias_name       = "live"
    alias_invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/x/invocations"
    function_name    = "ping"
  }
}
