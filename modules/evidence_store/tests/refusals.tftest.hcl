# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  bucket_name  = "evidence"
  environments = { dev = {} }
}

run "refused_1" {
  command = plan

  variables {
    bucket_name  = "Dyno_Evidence"
    end_days     = { pr = -1 }
    environments = {}
    kms_key_arn  = "arn:aws:kms:eu-west-1:111122223333:alias/evidence"
    object_lock  = { mode = "FOREVER", days = 1 }
    prefix       = "/shop/"
    readers      = { role_arns = { all = "*" } }
  }

  expect_failures = [
    var.bucket_name,
    var.end_days,
    var.environments,
    var.kms_key_arn,
    var.object_lock,
    var.prefix,
    var.readers,
  ]
}

run "refused_2" {
  command = plan

  variables {
    end_days     = { rows = 1.5 }
    environments = { "dev/main" = {} }
    object_lock  = { mode = "COMPLIANCE", days = 0 }
    prefix       = "shop"
    readers      = { role_arns = { all = "arn:aws:iam::111122223333:root" } }
  }

  expect_failures = [
    var.end_days,
    var.environments,
    var.object_lock,
    var.prefix,
    var.readers,
  ]
}

run "refused_3" {
  command = plan

  variables {
    environments = { dev = { main = { all = "arn:aws:iam::111122223333:role/*" } } }
    object_lock  = { mode = "GOVERNANCE", days = 1.5 }
    prefix       = "../shop/"
  }

  expect_failures = [
    var.environments,
    var.object_lock,
    var.prefix,
  ]
}

run "refused_4" {
  command = plan

  variables {
    environments = {
      dev  = { pr = { gate = "arn:aws:iam::111122223333:role/gate" } }
      prod = { main = { all = "arn:aws:iam::111122223333:role/gate" } }
    }
  }

  expect_failures = [
    var.environments,
  ]
}
