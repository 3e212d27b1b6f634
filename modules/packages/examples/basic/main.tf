terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

module "packages" {
  source = "../.."

  name_prefix = "dyno-251120-0915-k3f9"

  packages = {
    hello = {
      path          = "${path.module}/../../../function/examples/basic/hello.zip"
      sha256_base64 = filebase64sha256("${path.module}/../../../function/examples/basic/hello.zip")
    }
  }
}
