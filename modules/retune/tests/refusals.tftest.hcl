# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  copied_with  = { role_arns = ["arn:aws:iam::111122223333:role/shop"] }
  max_cost_usd = 0.05
  name_prefix  = "shop"
  store        = { bucket = "evidence", environment = "prod" }

  functions = {
    orders = {
      arn      = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:live"
      payload  = { key = "prod/main/payloads/orders.json", version_id = "v1" }
      schedule = "rate(7 days)"
    }
  }

  package       = { path = "retune.zip", sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
  tuner_package = { path = "tuner.zip", sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
}

run "refused_1" {
  command = plan

  variables {
    architecture           = "x86"
    copied_with            = { role_arns = [] }
    functions              = {}
    github                 = { app_id = "1", installation_id = "x", private_key_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:key-AbCdEf", repository = "acme/shop" }
    least_hours_between    = 23
    log_retention_days     = 2
    max_cost_usd           = 0
    name_prefix            = "Shop"
    notice_topic_arn       = "tunings"
    store                  = { bucket = "Evidence", environment = "prod" }
    tuning_timeout_seconds = 72001
    package                = { sha256_base64 = "AAAA" }
  }

  expect_failures = [
    var.architecture,
    var.copied_with,
    var.functions,
    var.github,
    var.least_hours_between,
    var.log_retention_days,
    var.max_cost_usd,
    var.name_prefix,
    var.notice_topic_arn,
    var.package,
    var.store,
    var.tuning_timeout_seconds,
  ]
}

run "refused_2" {
  command = plan

  variables {
    copied_with            = { role_arns = ["arn:aws:iam::111122223333:role/shop"], layer_arns = ["*"] }
    github                 = { app_id = "1", installation_id = "2", private_key_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:key-AbCdEf", repository = "acme/shop", api_url = "http://github.example.com" }
    least_hours_between    = 24.5
    max_cost_usd           = 1001
    store                  = { bucket = "evidence", environment = "prod", prefix = "/evidence" }
    tuning_timeout_seconds = 59

    functions = {
      orders = {
        arn      = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders"
        payload  = { key = "prod/main/payloads/orders.json", version_id = "v1" }
        schedule = "rate(7 days)"
      }
    }
  }

  expect_failures = [
    var.copied_with,
    var.functions,
    var.github,
    var.least_hours_between,
    var.max_cost_usd,
    var.store,
    var.tuning_timeout_seconds,
  ]
}

run "refused_3" {
  command = plan

  variables {
    github              = { app_id = "1", installation_id = "2", private_key_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*", repository = "acme/shop" }
    least_hours_between = 8761
    store               = { bucket = "evidence", environment = "prod", kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:alias/a" }

    functions = { # nothing starts it
      orders = {
        arn     = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:live"
        payload = { key = "prod/main/payloads/orders.json", version_id = "v1" }
      }
    }
  }

  expect_failures = [
    var.functions,
    var.github,
    var.least_hours_between,
    var.store,
  ]
}

run "refused_alarm" {
  command = plan

  variables {
    functions = {
      orders = {
        arn        = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:live"
        payload    = { key = "prod/main/payloads/orders.json", version_id = "v1" }
        alarm_arns = ["arn:aws:cloudwatch:eu-west-1:111122223333:alarm:*"]
      }
    }
  }

  expect_failures = [
    var.functions,
  ]
}

run "refused_version" {
  command = plan

  variables {
    functions = {
      orders = {
        arn            = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:7"
        payload        = { key = "prod/main/payloads/orders.json", version_id = "v1" }
        on_new_version = true
      }
    }
  }

  expect_failures = [
    var.functions,
  ]
}

run "refused_schedule" {
  command = plan

  variables {
    functions = {
      orders = {
        arn      = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:live"
        payload  = { key = "prod/main/payloads/orders.json", version_id = "v1" }
        schedule = "weekly"
      }
    }
  }

  expect_failures = [
    var.functions,
  ]
}

run "refused_traffic" {
  command = plan

  variables {
    functions = {
      orders = {
        arn     = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:live"
        payload = { key = "prod/main/payloads/orders.json", version_id = "v1" }
        traffic = { factor = 1 }
      }
    }
  }

  expect_failures = [
    var.functions,
  ]
}

run "refused_payload" {
  command = plan

  variables {
    functions = {
      orders = {
        arn      = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:live"
        payload  = { key = "prod/main/../pr/1/payload.json", version_id = "v1" }
        schedule = "rate(7 days)"
      }
    }
  }

  expect_failures = [
    var.functions,
  ]
}

run "refused_strategy" {
  command = plan

  variables {
    functions = {
      orders = {
        arn      = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:live"
        payload  = { key = "prod/main/payloads/orders.json", version_id = "v1" }
        schedule = "rate(7 days)"
        strategy = "limit"
      }
    }
  }

  expect_failures = [
    var.functions,
  ]
}

run "refused_sizes" {
  command = plan

  variables {
    functions = {
      orders = {
        arn           = "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:live"
        payload       = { key = "prod/main/payloads/orders.json", version_id = "v1" }
        schedule      = "rate(7 days)"
        min_memory_mb = 2048
        max_memory_mb = 1024
      }
    }
  }

  expect_failures = [
    var.functions,
  ]
}
