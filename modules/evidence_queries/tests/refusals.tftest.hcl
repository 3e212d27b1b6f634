# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  store_envs  = ["dev"]
  name_prefix = "dyno"
  evidence    = { bucket = "evidence" }
}

run "refused_1" {
  command = plan

  variables {
    store_envs         = []
    most_scanned_bytes = 1000
    name_prefix        = "Dyno"
    evidence           = { bucket = "Evidence_Store" }
  }

  expect_failures = [
    var.store_envs,
    var.most_scanned_bytes,
    var.name_prefix,
    var.evidence,
  ]
}

run "refused_2" {
  command = plan

  variables {
    store_envs         = ["dev,prod"]
    most_scanned_bytes = 10485760.5
    name_prefix        = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    evidence           = { bucket = "evidence", prefix = "dyno" }
  }

  expect_failures = [
    var.store_envs,
    var.most_scanned_bytes,
    var.name_prefix,
    var.evidence,
  ]
}

run "refused_3" {
  command = plan

  variables {
    store_envs  = ["../prod"]
    name_prefix = "dyno-"
    evidence    = { bucket = "evidence", prefix = "../", kms_key_arn = null }
  }

  expect_failures = [
    var.store_envs,
    var.name_prefix,
    var.evidence,
  ]
}

run "refused_4" {
  command = plan

  variables {
    name_prefix = "1"
    evidence    = { bucket = "evidence", kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:alias/a" }
  }

  expect_failures = [
    var.name_prefix,
    var.evidence,
  ]
}
