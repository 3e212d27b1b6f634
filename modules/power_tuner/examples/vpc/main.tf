terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Every setting: in a VPC, for encrypted functions, with copies, payloads from S3 and processors.
module "power_tuner" {
  source = "../.."

  name_prefix             = "team-a"
  architecture            = "x86_64"
  tunable_function_arns   = ["arn:aws:lambda:eu-central-1:111122223333:function:shop-*"]
  processor_function_arns = ["arn:aws:lambda:us-east-1:111122223333:function:prepare"]
  default_power_values    = [256, 2048]
  kms_key_arns            = ["arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd"]
  log_retention_days      = 30
  measure_memory_mb       = 1024
  copies = {
    role_arns  = ["arn:aws:iam::111122223333:role/shop-cart"]
    layer_arns = ["arn:aws:lambda:eu-central-1:111122223333:layer:shop-libs:*"]
    in_vpc     = true
  }

  payload_bucket           = { name = "payloads", key_pattern = "tuning/*" }
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
  total_timeout_seconds    = 3600
  visualization_url        = "https://curves.example.com/"

  # (cd lambda/power_tuner && zip -r ../../power_tuner.zip power_tuner), uploaded, and its
  # openssl dgst -sha256 -binary power_tuner.zip | base64
  package = {
    s3            = { bucket = "my-packages", key = "power_tuner.zip" }
    sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  }

  vpc = {
    subnet_ids         = ["subnet-1", "subnet-2"]
    security_group_ids = ["sg-1"]
  }
}
