# Who is told of a tuning, what the definition has that its file has not, and whose ARNs are taken.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_data "aws_partition" {
    defaults = { dns_suffix = "amazonaws.com", partition = "aws-us-gov" }
  }

  mock_data "aws_service" {
    defaults = { region = "us-gov-west-1" }
  }

  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws-us-gov:events:us-gov-west-1:111122223333:rule/mocked" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws-us-gov:logs:us-gov-west-1:111122223333:log-group:mocked" }
  }

  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws-us-gov:dynamodb:us-gov-west-1:111122223333:table/mocked" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws-us-gov:iam::111122223333:role/mocked" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:mocked" }
  }

  mock_resource "aws_sfn_state_machine" {
    defaults = { arn = "arn:aws-us-gov:states:us-gov-west-1:111122223333:stateMachine:mocked" }
  }
}

variables {
  copied_with         = { role_arns = ["arn:aws-us-gov:iam::111122223333:role/shop"] }
  least_hours_between = 48
  max_cost_usd        = 0.05
  name_prefix         = "shop"
  store               = { bucket = "evidence", environment = "prod" }

  functions = {
    orders = {
      arn      = "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:shop-orders:live"
      payload  = { key = "prod/main/payloads/orders.json", version_id = "v1" }
      schedule = "rate(7 days)"
    }
  }

  package       = { path = "retune.zip", sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
  tuner_package = { path = "tuner.zip", sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
}

run "the_bus_alone_is_told" {
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Notice.Next == "Told"
    error_message = "After the notice there is nobody else to tell."
  }

  assert {
    condition     = length(setintersection(keys(jsondecode(aws_sfn_state_machine.this.definition).States), ["Dispatch", "Publish"])) == 0
    error_message = "Step Functions refuses states that nobody comes to."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Begin.Assign.lease_seconds == 48 * 3600
    error_message = "A lease is least_hours_between long."
  }

  assert {
    condition = alltrue([
      for key, value in {
        lambdaARN          = "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:shop-orders:live"
        isolation          = "clone"
        maxCostUsd         = 0.05
        disablePayloadLogs = true
      } : jsondecode(aws_sfn_state_machine.this.definition).States.Begin.Assign.functions.orders.input[key] == value
    ])
    error_message = "What is measured, how and for how much is in the definition."
  }

  assert {
    condition     = startswith(jsondecode(aws_sfn_state_machine.this.definition).States.Tune.Resource, "arn:aws-us-gov:states:::")
    error_message = "Step Functions' own integrations are of the partition."
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.this), "dispatch") && !contains(keys(aws_iam_role.this), "dispatch")
    error_message = "Without github nothing may read a secret."
  }
}

run "all_are_told" {
  variables {
    notice_topic_arn = "arn:aws-us-gov:sns:us-gov-west-1:111122223333:tunings"
    github           = { app_id = "12345", installation_id = "678", private_key_secret_arn = "arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:app-AbCdEf", repository = "acme/shop" }
  }

  assert {
    condition = [
      for name in ["Notice", "Publish", "Dispatch"] : jsondecode(aws_sfn_state_machine.this.definition).States[name].Next
    ] == ["Publish", "Dispatch", "Told"]
    error_message = "One after the other."
  }

  assert {
    condition     = aws_lambda_function.this["dispatch"].environment[0].variables.GITHUB_API_URL == "https://api.github.com"
    error_message = "GitHub's own API unless another one is named."
  }
}

run "a_function_of_another_account_is_refused" {
  command = plan

  variables {
    functions = {
      orders = {
        arn      = "arn:aws-us-gov:lambda:us-gov-west-1:999999999999:function:shop-orders:live"
        payload  = { key = "prod/main/payloads/orders.json", version_id = "v1" }
        schedule = "rate(7 days)"
      }
    }
  }

  expect_failures = [
    aws_sfn_state_machine.this,
  ]
}

run "an_alarm_of_another_region_is_refused" {
  command = plan

  variables {
    functions = {
      orders = {
        arn        = "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:shop-orders:live"
        payload    = { key = "prod/main/payloads/orders.json", version_id = "v1" }
        alarm_arns = ["arn:aws-us-gov:cloudwatch:us-gov-east-1:111122223333:alarm:shop-orders-slow"]
      }
    }
  }

  expect_failures = [
    aws_sfn_state_machine.this,
  ]
}

run "a_payload_that_a_pull_request_could_write_is_refused" {
  command = plan

  variables {
    functions = {
      orders = {
        arn      = "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:shop-orders:live"
        payload  = { key = "prod/pr/1/payloads/orders.json", version_id = "v1" }
        schedule = "rate(7 days)"
      }
    }
  }

  expect_failures = [
    aws_sfn_state_machine.this,
  ]
}
