terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "api" {
  source = "../.."

  name_prefix   = "dyno-251120-0915-k3f9"
  authorization = "AWS_IAM"
  paths         = ["/items", "/items/{id}", "/{proxy+}"]

  target = {
    alias_name       = "live"
    alias_invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:111122223333:function:crud-api:live/invocations"
    function_name    = "crud-api"
  }

  throttling = {
    burst_limit = 20
    rate_limit  = 50
  }
}
