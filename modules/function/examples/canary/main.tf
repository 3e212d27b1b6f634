terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Another processor, Lambda's own lines as text, and a new version that meets a tenth of the calls.
module "function" {
  source = "../.."

  name_prefix              = "dyno-variant"
  name                     = "worker"
  handler                  = "worker.handler.handler"
  alias_name               = "stable"
  architecture             = "x86_64"
  log_format               = "Text"
  log_retention_days       = 3
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
  runtime                  = "python3.12"
  timeout_seconds          = 60

  canary = {
    percent        = 10
    stable_version = "3"
  }

  package = {
    s3            = { bucket = "my-packages", key = "worker.zip" }
    sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  }
}
