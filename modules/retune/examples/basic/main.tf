terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

data "aws_caller_identity" "this" {}

data "aws_region" "this" {}

locals {
  account_id = data.aws_caller_identity.this.account_id
  orders     = { FunctionName = "shop-orders" }
}

# Alarms of the function alone: latency, errors, and cost as GB-seconds of an hour.
resource "aws_cloudwatch_metric_alarm" "slow" {
  alarm_name          = "shop-orders-slow"
  namespace           = "AWS/Lambda"
  metric_name         = "Duration"
  dimensions          = local.orders
  extended_statistic  = "p95"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 800 # ms
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "shop-orders-errors"
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0.01
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "ratio"
    expression  = "errors / invocations"
    return_data = true
  }

  metric_query {
    id = "errors"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = local.orders
      stat        = "Sum"
      period      = 300
    }
  }

  metric_query {
    id = "invocations"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Invocations"
      dimensions  = local.orders
      stat        = "Sum"
      period      = 300
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "expensive" {
  alarm_name          = "shop-orders-expensive"
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0.5 # USD an hour
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "usd"
    expression  = "total_ms / 1000 * 512 / 1024 * 0.0000133334" # at 512 MB, arm64
    return_data = true
  }

  metric_query {
    id = "total_ms"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Duration"
      dimensions  = local.orders
      stat        = "Sum"
      period      = 3600
    }
  }
}

module "retune" {
  source = "../.."

  name_prefix  = "shop"
  max_cost_usd = 0.05
  copied_with  = { role_arns = ["arn:aws:iam::${local.account_id}:role/shop-orders"] }
  store        = { bucket = "dyno-evidence-${local.account_id}", environment = "prod" }

  functions = {
    orders = {
      arn            = "arn:aws:lambda:${data.aws_region.this.id}:${local.account_id}:function:shop-orders:live"
      on_new_version = true
      schedule       = "rate(30 days)"
      traffic        = { factor = 2 }

      alarm_arns = [
        aws_cloudwatch_metric_alarm.slow.arn,
        aws_cloudwatch_metric_alarm.errors.arn,
        aws_cloudwatch_metric_alarm.expensive.arn,
      ]

      # as `aws s3api put-object --if-none-match '*'` answers, by main's role
      payload = { key = "prod/main/payloads/orders.json", version_id = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY" }
    }
  }

  # zips of lambda/retune and lambda/power_tuner, uploaded, and their
  # openssl dgst -sha256 -binary FILE.zip | base64
  package = {
    s3            = { bucket = "my-packages", key = "retune.zip" }
    sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  }
  tuner_package = {
    s3            = { bucket = "my-packages", key = "power_tuner.zip" }
    sha256_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  }
}
