# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {}

variables {
  name_prefix = "dyno"
}

run "refused_1" {
  command = plan

  variables {
    name_prefix = "Dyno"
  }

  expect_failures = [
    var.name_prefix,
  ]
}

run "refused_2" {
  command = plan

  variables {
    name_prefix = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }

  expect_failures = [
    var.name_prefix,
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
