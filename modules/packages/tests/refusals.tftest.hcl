# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {}

variables {
  name_prefix = "dyno"
  packages    = { a = { path = "code.zip", sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" } }
}

run "refused_1" {
  command = plan

  variables {
    name_prefix = "Dyno"
    packages    = {}
  }

  expect_failures = [
    var.name_prefix,
    var.packages,
  ]
}

run "refused_2" {
  command = plan

  variables {
    name_prefix = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    packages    = { a = { path = "code.tar", sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" } }
  }

  expect_failures = [
    var.name_prefix,
    var.packages,
  ]
}

run "refused_3" {
  command = plan

  variables {
    name_prefix = "dyno-"
  }

  expect_failures = [
    var.name_prefix,
  ]
}

run "refused_4" {
  command = plan

  variables {
    name_prefix = "1dyno"
  }

  expect_failures = [
    var.name_prefix,
  ]
}
