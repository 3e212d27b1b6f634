# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name_prefix           = "dyno"
  package               = { path = "code.zip", sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
  tunable_function_arns = ["arn:aws:lambda:eu-west-1:111122223333:function:shop-*"]
}

run "refused_1" {
  command = plan

  variables {
    architecture            = "x86"
    copies                  = { role_arns = ["arn:aws:iam::111122223333:role/shop"], layer_arns = ["*"] }
    default_power_values    = [100]
    kms_key_arns            = ["arn:aws:kms:eu-west-1:111122223333:alias/a"]
    log_retention_days      = 2
    measure_memory_mb       = 64
    name_prefix             = "Dyno"
    package                 = { sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
    processor_function_arns = ["*"]
    total_timeout_seconds   = 1
    tunable_function_arns   = ["*"]
    visualization_url       = "https://curves.example.com/#a"
  }

  expect_failures = [
    var.architecture,
    var.copies,
    var.default_power_values,
    var.kms_key_arns,
    var.log_retention_days,
    var.measure_memory_mb,
    var.name_prefix,
    var.package,
    var.processor_function_arns,
    var.total_timeout_seconds,
    var.tunable_function_arns,
    var.visualization_url,
  ]
}

run "refused_2" {
  command = plan

  variables {
    copies                  = { role_arns = [] }
    default_power_values    = []
    measure_memory_mb       = 20000
    name_prefix             = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    package                 = { path = "a.zip", s3 = { bucket = "b", key = "k" }, sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
    processor_function_arns = ["arn:aws:lambda:eu-west-1:111122223333:function:a:live"]
    total_timeout_seconds   = 604801
    tunable_function_arns   = []
    visualization_url       = "curves.example.com"
  }

  expect_failures = [
    var.copies,
    var.default_power_values,
    var.measure_memory_mb,
    var.name_prefix,
    var.package,
    var.processor_function_arns,
    var.total_timeout_seconds,
    var.tunable_function_arns,
    var.visualization_url,
  ]
}

run "refused_3" {
  command = plan

  variables {
    copies                = { role_arns = ["arn:aws:iam::111122223333:role/*"] }
    default_power_values  = [128.5]
    measure_memory_mb     = 128.5
    name_prefix           = "dyno-"
    tunable_function_arns = ["arn:aws:lambda:eu-west-1:111122223333:function:a:live"]
  }

  expect_failures = [
    var.copies,
    var.default_power_values,
    var.measure_memory_mb,
    var.name_prefix,
    var.tunable_function_arns,
  ]
}

run "refused_4" {
  command = plan

  variables {
    copies = {
      role_arns = ["arn:aws:iam::111122223333:role/shop"]
      packages  = { x86 = { s3 = { bucket = "b", key = "k" }, sha256_base64 = "AAAA" } }
    }
    name_prefix           = "1"
    tunable_function_arns = ["arn:aws:lambda:*:111122223333:function:a"]
  }

  expect_failures = [
    var.copies,
    var.name_prefix,
    var.tunable_function_arns,
  ]
}

run "assumable_role_wildcard" {
  command = plan

  variables {
    assumable_role_arns = ["arn:aws:iam::111122223333:role/*"]
  }

  expect_failures = [
    var.assumable_role_arns,
  ]
}
