terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "power_tuner" {
  source = "../.."

  name_prefix           = "dyno-251120-0915-k3f9"
  tunable_function_arns = ["arn:aws:lambda:eu-central-1:111122223333:function:shop-*"]

  # (cd lambda/power_tuner && zip -r ../../power_tuner.zip power_tuner), uploaded, and its
  # openssl dgst -sha256 -binary power_tuner.zip | base64
  package = {
    s3            = { bucket = "my-packages", key = "power_tuner.zip" }
    sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  }
}
