terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "service" {
  source = "../.."

  name_prefix = "dyno-251120-0915-k3f9"

  # (cd lambda/crud_api && zip -r ../../crud_api.zip crud_api), uploaded, and its
  # openssl dgst -sha256 -binary crud_api.zip | base64
  package = {
    s3            = { bucket = "my-packages", key = "crud_api.zip" }
    sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  }

  function = {
    memory_mb = 1024
  }
}
