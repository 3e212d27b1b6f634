terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

locals {
  # a stand-in that is enough to plan; the real ones are lambda/crud_api and lambda/power_tuner, zipped
  zip = "${path.module}/../../../function/examples/basic/hello.zip"
}

module "environment" {
  source = "../.."

  name_prefix = "dyno-251120-0915-k3f9"

  packages = {
    for name in ["crud_api", "power_tuner"] : name => {
      path          = local.zip
      sha256_base64 = filebase64sha256(local.zip)
    }
  }
}

output "environment" {
  value = module.environment
}
