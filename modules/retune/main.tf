data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

# aws_region fails in regions that are newer than the provider; this one knows them, too
data "aws_service" "lambda" {
  service_id = "lambda"
}

locals {
  name = "${var.name_prefix}-retune"

  account_id     = data.aws_caller_identity.this.account_id
  partition      = data.aws_partition.this.partition
  region         = data.aws_service.lambda.region
  main_prefix    = "${var.store.prefix}${var.store.environment}/main/"
  payload_prefix = "${local.main_prefix}payloads/"

  # arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER
  arns = { for name, function in var.functions : name => split(":", function.arn) }

  # What is known of a function. An execution's input only says which one it is about; what is
  # measured, how and for how much is said here.
  functions = {
    for name, function in var.functions : name => {
      arn         = function.arn
      name        = local.arns[name][6]
      alias       = local.arns[name][7]
      environment = var.store.environment
      payload     = { key = function.payload.key, versionId = function.payload.version_id }

      traffic = {
        factor           = try(function.traffic.factor, 0)
        leastInvocations = try(function.traffic.least_invocations, 0)
      }

      input = {
        lambdaARN          = function.arn
        isolation          = "clone" # nobody's calls meet another size, and nothing is changed
        measuring          = "adaptive"
        maxCostUsd         = var.max_cost_usd
        strategy           = function.strategy
        confidence         = function.confidence
        minPower           = function.min_memory_mb
        maxPower           = function.max_memory_mb
        disablePayloadLogs = true # errors are passed on: neither payload nor the function's words
        onConflict         = "fail"
      }
    }
  }

  # One function for each thing that a state machine cannot do itself.
  handlers = merge(
    {
      payload = { memory_mb = 128, timeout_seconds = 60 }
      record  = { memory_mb = 128, timeout_seconds = 60 }
      traffic = { memory_mb = 128, timeout_seconds = 60 }
    },
    { for github in var.github[*] : "dispatch" => { memory_mb = 256, timeout_seconds = 60 } },
  )

  environments = {
    payload = { STORE_BUCKET = var.store.bucket }
    record = {
      STORE_BUCKET = var.store.bucket
      STORE_PREFIX = local.main_prefix
      TABLE_NAME   = aws_dynamodb_table.leases.name
    }
    traffic = { TABLE_NAME = aws_dynamodb_table.leases.name }
    dispatch = {
      GITHUB_API_URL         = try(var.github.api_url, "")
      GITHUB_APP_ID          = try(var.github.app_id, "")
      GITHUB_EVENT_TYPE      = try(var.github.event_type, "")
      GITHUB_INSTALLATION_ID = try(var.github.installation_id, "")
      GITHUB_KEY_SECRET_ARN  = try(var.github.private_key_secret_arn, "")
      GITHUB_REPOSITORY      = try(var.github.repository, "")
    }
  }
}

# Of its own: its roles may read the functions and measure copies, and change nothing.
module "tuner" {
  source = "../power_tuner"

  architecture             = var.architecture
  copies                   = merge(var.copied_with, { only = true })
  log_retention_days       = var.log_retention_days
  name_prefix              = var.name_prefix
  package                  = var.tuner_package
  permissions_boundary_arn = var.permissions_boundary_arn
  total_timeout_seconds    = var.tuning_timeout_seconds
  tunable_function_arns    = distinct([for arn in local.arns : join(":", slice(arn, 0, 7))])
}

# A lease says that a function is being tuned, or was: it is taken by one write that fails if there
# is one, and is over by its time alone, whatever the tuning came to.
resource "aws_dynamodb_table" "leases" {
  #checkov:skip=CKV_AWS_28:a lease lives for a day; without it one tuning more is made
  #checkov:skip=CKV_AWS_119:names and times; AWS encrypts tables itself

  name         = "${local.name}-leases"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }

  ttl {
    attribute_name = "ends_at_s"
    enabled        = true
  }
}

# Made here, with retention: a group that Lambda makes by itself has none, and outlives destroy.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:AWS encrypts log groups itself; neither payloads nor figures are in them
  #checkov:skip=CKV_AWS_338:the row in the store is what is kept

  for_each = local.handlers

  name              = "/aws/lambda/${local.name}-${each.key}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:the execution's history tells what it did
  #checkov:skip=CKV_AWS_115:a reserve would take concurrency from the account's other functions
  #checkov:skip=CKV_AWS_116:Step Functions asks, and sees every error
  #checkov:skip=CKV_AWS_117:it needs AWS's APIs alone, and GitHub's where that is asked for
  #checkov:skip=CKV_AWS_173:names and settings, no secret; AWS encrypts them itself
  #checkov:skip=CKV_AWS_272:the package's checksum is in the plan, and only the deploy role may write it

  for_each = local.handlers

  function_name    = "${local.name}-${each.key}"
  role             = aws_iam_role.this[each.key].arn
  runtime          = "python3.13"
  handler          = "retune.handlers.${each.key}.handler"
  architectures    = [var.architecture]
  memory_size      = each.value.memory_mb
  timeout          = each.value.timeout_seconds
  filename         = var.package.path
  s3_bucket        = try(var.package.s3.bucket, null)
  s3_key           = try(var.package.s3.key, null)
  source_code_hash = var.package.sha256_base64

  environment {
    variables = local.environments[each.key]
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this[each.key].name
  }

  # the first invocation must find its permissions, the last one its log group
  depends_on = [aws_iam_role_policy.this]
}
