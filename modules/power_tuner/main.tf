data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

# aws_region fails in regions that are newer than the provider; this one knows them, too
data "aws_service" "lambda" {
  service_id = "lambda"
}

# What everything here is tagged with, copies of functions get as well.
data "aws_default_tags" "this" {}

locals {
  name = "${var.name_prefix}-tuner"

  _arn_end   = "${data.aws_service.lambda.region}:${data.aws_caller_identity.this.account_id}"
  _functions = "arn:${data.aws_partition.this.partition}:lambda:${local._arn_end}:function"

  execution_arns        = "arn:${data.aws_partition.this.partition}:states:${local._arn_end}:execution:${local.name}:*"
  clean_up_function_arn = "${local._functions}:${local.name}-clean-up"

  # One function per state; measure's memory is a setting.
  functions = {
    for name, function in yamldecode(file("${path.module}/functions.yaml")) : name => {
      memory_mb = name == "measure" ? var.measure_memory_mb : (
        local._with_copies ? try(function.memory_with_copies_mb, function.memory_mb) : function.memory_mb
      )
      timeout_seconds = function.timeout_seconds
    }
  }

  definition = jsondecode(templatefile("${path.module}/state_machine.asl.json", {
    for name, function in aws_lambda_function.this : "${replace(name, "-", "_")}_arn" => function.arn
  }))
}

# Made here, with retention: a group that Lambda makes by itself has none, and outlives destroy.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:AWS encrypts log groups itself; a key of one's own protects nothing here, and costs
  #checkov:skip=CKV_AWS_338:the environment says how long; an ephemeral one needs days

  for_each = local.functions

  name              = "/aws/lambda/${local.name}-${each.key}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:the execution's history tells what it did
  #checkov:skip=CKV_AWS_115:a reserve would take concurrency from the account's other functions
  #checkov:skip=CKV_AWS_116:Step Functions asks, and sees every error
  #checkov:skip=CKV_AWS_173:names and settings, no secret; AWS encrypts them itself
  #checkov:skip=CKV_AWS_272:the package's checksum is in the plan, and only the deploy role may write it

  for_each = local.functions

  function_name    = "${local.name}-${each.key}"
  role             = aws_iam_role.function[each.key].arn
  runtime          = "python3.13"
  handler          = "power_tuner.handlers.${replace(each.key, "-", "_")}.handler"
  architectures    = [var.architecture]
  memory_size      = each.value.memory_mb
  timeout          = each.value.timeout_seconds
  filename         = var.package.path
  s3_bucket        = try(var.package.s3.bucket, null)
  s3_key           = try(var.package.s3.key, null)
  source_code_hash = var.package.sha256_base64

  environment {
    variables = {
      ARCHITECTURE          = var.architecture
      CLEAN_UP_FUNCTION     = local.clean_up_function_arn
      COPY_PACKAGES         = jsonencode({ for name, package in try(var.copies.packages, {}) : name => merge(package.s3, { sha256 = package.sha256_base64 }) })
      COPY_ROLE_ARNS        = jsonencode(local._copy_roles)
      COPY_TAGS             = jsonencode(data.aws_default_tags.this.tags)
      DEFAULT_POWER_VALUES  = join(",", var.default_power_values)
      TOTAL_TIMEOUT_SECONDS = var.total_timeout_seconds
      VISUALIZATION_URL     = var.visualization_url
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this[each.key].name
  }

  dynamic "vpc_config" {
    for_each = var.vpc[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # the first invocation must find its permissions, the last one its log group
  depends_on = [aws_iam_role_policy.function]
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_284:the execution's history tells what it did
  #checkov:skip=CKV_AWS_285:payloads would be in the log; the history is kept for 90 days

  name       = local.name
  role_arn   = aws_iam_role.state_machine.arn
  definition = jsonencode(merge(local.definition, { TimeoutSeconds = var.total_timeout_seconds }))

  depends_on = [aws_iam_role_policy.state_machine]
}

# A stopped or timed-out execution cannot run CleanUp itself. One that failed has run it, unless
# that failed too: running it again then finds what is left, if anything.
resource "aws_cloudwatch_event_rule" "ended" {
  name        = "${local.name}-ended"
  description = "Starts the clean-up after power tunings that were stopped, timed out or failed."

  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [aws_sfn_state_machine.this.arn]
      status          = ["ABORTED", "FAILED", "TIMED_OUT"]
    }
  })
}

resource "aws_cloudwatch_event_target" "clean_up" {
  rule = aws_cloudwatch_event_rule.ended.name
  arn  = aws_lambda_function.this["clean-up"].arn

  # the event also has the execution's input: the payload stays where it is
  input_transformer {
    input_paths    = { execution = "$.detail.executionArn" }
    input_template = "{\"detail\": {\"executionArn\": <execution>}}"
  }
}

resource "aws_lambda_permission" "rule" {
  statement_id  = "rule"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["clean-up"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.ended.arn
}
