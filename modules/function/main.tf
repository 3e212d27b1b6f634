locals {
  function_name = "${var.name_prefix}-${var.name}"
}

# Made here, with retention: a group that Lambda makes by itself has none, and outlives destroy.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:AWS encrypts log groups itself; a key of one's own protects nothing here, and costs
  #checkov:skip=CKV_AWS_338:the environment says how long; an ephemeral one needs days

  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:tracing changes what is measured
  #checkov:skip=CKV_AWS_115:a reserve would take concurrency from the account's other functions
  #checkov:skip=CKV_AWS_116:only asked synchronously: whoever asks gets the error
  #checkov:skip=CKV_AWS_117:it reaches nothing but AWS's APIs, by IAM
  #checkov:skip=CKV_AWS_173:names and settings, no secret; AWS encrypts them itself
  #checkov:skip=CKV_AWS_272:the package's checksum is in the plan, and only the deploy role may write it

  function_name    = local.function_name
  role             = aws_iam_role.this.arn
  runtime          = var.runtime
  handler          = var.handler
  architectures    = [var.architecture]
  memory_size      = var.memory_mb
  timeout          = var.timeout_seconds
  filename         = var.package.path
  s3_bucket        = try(var.package.s3.bucket, null)
  s3_key           = try(var.package.s3.key, null)
  source_code_hash = var.package.sha256_base64
  publish          = true

  environment {
    variables = var.environment
  }

  logging_config {
    log_format = var.log_format
    log_group  = aws_cloudwatch_log_group.this.name
  }

  # the first invocation must find its permissions, the last one its log group
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "this" {
  name             = var.alias_name
  function_name    = aws_lambda_function.this.function_name
  function_version = var.canary == null ? aws_lambda_function.this.version : var.canary.stable_version

  dynamic "routing_config" {
    for_each = try(var.canary.percent, 0) > 0 ? [var.canary.percent] : []

    content {
      additional_version_weights = {
        (aws_lambda_function.this.version) = routing_config.value / 100
      }
    }
  }
}
