# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  handler     = "a.b"
  name        = "worker"
  name_prefix = "dyno"
  package     = { path = "code.zip", sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
}

run "refused_1" {
  command = plan

  variables {
    alias_name         = "12"
    architecture       = "arm"
    canary             = { percent = 100, stable_version = "3" }
    log_format         = "json"
    log_retention_days = 2
    memory_mb          = 100
    name               = "aaaaaaaaaaaaaaaaaaaaa"
    name_prefix        = "Dyno"
    package            = { path = "code.tar", sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
    permissions        = { Own = { actions = ["dynamodb:*"], resources = ["arn:aws:x"] } }
    timeout_seconds    = 901
  }

  expect_failures = [
    var.alias_name,
    var.architecture,
    var.canary,
    var.log_format,
    var.log_retention_days,
    var.memory_mb,
    var.name,
    var.name_prefix,
    var.package,
    var.permissions,
    var.timeout_seconds,
  ]
}

run "refused_2" {
  command = plan

  variables {
    alias_name         = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    canary             = { percent = 10, stable_version = "$LATEST" }
    log_retention_days = 0
    memory_mb          = 20000
    name               = "Worker"
    name_prefix        = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    package            = { path = "code.zip", sha256_base64 = "0000000000000000000000000000000000000000000000000000000000000000" }
    permissions        = { Own = { actions = ["dynamodb:Scan"], resources = ["*"] } }
    timeout_seconds    = 0
  }

  expect_failures = [
    var.alias_name,
    var.canary,
    var.log_retention_days,
    var.memory_mb,
    var.name,
    var.name_prefix,
    var.package,
    var.permissions,
    var.timeout_seconds,
  ]
}

run "refused_3" {
  command = plan

  variables {
    canary          = { percent = 0.5, stable_version = "3" }
    memory_mb       = 128.5
    name            = "w-"
    name_prefix     = "dyno-"
    package         = { path = "a.zip", s3 = { bucket = "b", key = "k" }, sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
    permissions     = { Own = { actions = [], resources = ["arn:aws:x"] } }
    timeout_seconds = 1.5
  }

  expect_failures = [
    var.canary,
    var.memory_mb,
    var.name,
    var.name_prefix,
    var.package,
    var.permissions,
    var.timeout_seconds,
  ]
}

run "refused_4" {
  command = plan

  variables {
    canary      = { percent = -1, stable_version = "3" }
    name_prefix = "1dyno"
    package     = { sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
    permissions = { Own = { actions = ["dynamodb:Scan"], resources = [] } }
  }

  expect_failures = [
    var.canary,
    var.name_prefix,
    var.package,
    var.permissions,
  ]
}
