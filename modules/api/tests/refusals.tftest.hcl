# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {}

variables {
  name_prefix = "dyno"
  paths       = ["/items"]
  target      = { alias_name = "live", alias_invoke_arn = "arn:aws:x", function_name = "f" }
}

run "refused_1" {
  command = plan

  variables {
    authorization      = "IAM"
    log_retention_days = 8
    name_prefix        = "Dyno"
    paths              = []
    stage_name         = "v-1"
    throttling         = { rate_limit = 0 }
  }

  expect_failures = [
    var.authorization,
    var.log_retention_days,
    var.name_prefix,
    var.paths,
    var.stage_name,
    var.throttling,
  ]
}

run "refused_2" {
  command = plan

  variables {
    name_prefix = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    paths       = ["items"]
    stage_name  = ""
    throttling  = { burst_limit = 0 }
  }

  expect_failures = [
    var.name_prefix,
    var.paths,
    var.stage_name,
    var.throttling,
  ]
}

run "refused_3" {
  command = plan

  variables {
    name_prefix = "dyno-"
    paths       = ["/a", "/a/b", "/a/b/c"]
  }

  expect_failures = [
    var.name_prefix,
    var.paths,
  ]
}

run "refused_4" {
  command = plan

  variables {
    name_prefix = "1dyno"
    paths       = ["/items/{id}"]
  }

  expect_failures = [
    var.name_prefix,
    var.paths,
  ]
}
