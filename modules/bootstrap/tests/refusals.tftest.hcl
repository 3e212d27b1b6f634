# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  bucket = { name = "states" }
}

run "refused_1" {
  command = plan

  variables {
    bucket = { name = "Dyno_State" }
  }

  expect_failures = [
    var.bucket,
  ]
}

run "refused_2" {
  command = plan

  variables {
    bucket = { name = "states", superseded_versions_end_days = -1 }
  }

  expect_failures = [
    var.bucket,
  ]
}

run "refused_3" {
  command = plan

  variables {
    bucket = { name = "states", superseded_versions_end_days = 1.5 }
  }

  expect_failures = [
    var.bucket,
  ]
}
