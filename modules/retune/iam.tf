locals {
  _s3           = "arn:${local.partition}:s3:::${var.store.bucket}"
  _dns_suffixes = distinct(["amazonaws.com", data.aws_partition.this.dns_suffix])
  _via_s3       = { test = "StringLike", key = "kms:ViaService", values = [for suffix in local._dns_suffixes : "s3.*.${suffix}"] }
  _execution    = "arn:${local.partition}:states:${local.region}:${local.account_id}:execution"

  _of_logs = {
    for name, group in aws_cloudwatch_log_group.this : name => {
      Log = {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = ["${group.arn}:*"] # the group's streams
      }
    }
  }

  _with_store_key = {
    for name, actions in { payload = ["kms:Decrypt"], record = ["kms:Decrypt", "kms:GenerateDataKey"] } : name => {
      for arn in var.store.kms_key_arn[*] : "StoreKey" => {
        actions    = actions
        resources  = [arn]
        conditions = [local._via_s3]
      }
    }
  }

  # What each role may do. A condition on a key is written so that it holds where the key is not
  # there: AWS gives it with each such call, the embedded AWS does not.
  permissions = merge(
    {
      payload = merge(local._of_logs["payload"], local._with_store_key["payload"], {
        for name, function in local.functions : "Payload${substr(sha256(name), 0, 8)}" => {
          actions    = ["s3:GetObjectVersion"]
          resources  = ["${local._s3}/${function.payload.key}"]
          conditions = [{ test = "StringEqualsIfExists", key = "s3:VersionId", values = [function.payload.versionId] }]
        }
      })

      record = merge(local._of_logs["record"], local._with_store_key["record"], {
        AddRows = {
          actions   = ["s3:PutObject"]
          resources = ["${local._s3}/${local.main_prefix}retunings/v1/*.json"]
        }
        RememberTraffic = {
          actions    = ["dynamodb:PutItem"]
          resources  = [aws_dynamodb_table.leases.arn]
          conditions = [{ test = "ForAllValues:StringLike", key = "dynamodb:LeadingKeys", values = ["traffic#*"] }]
        }
      })

      traffic = merge(local._of_logs["traffic"], {
        RememberTraffic = {
          actions    = ["dynamodb:GetItem", "dynamodb:PutItem"]
          resources  = [aws_dynamodb_table.leases.arn]
          conditions = [{ test = "ForAllValues:StringLike", key = "dynamodb:LeadingKeys", values = ["traffic#*"] }]
        }
        CountInvocations = {
          actions   = ["cloudwatch:GetMetricData"]
          resources = ["*"] # CloudWatch knows no resources for reading metrics
        }
      })

      states = merge(
        {
          InvokeFunctions = {
            actions   = ["lambda:InvokeFunction"]
            resources = [for name in keys(local.handlers) : "${local._own.functions}function:${local.name}-${name}"]
          }
          TakeLease = {
            actions    = ["dynamodb:PutItem"]
            resources  = [aws_dynamodb_table.leases.arn]
            conditions = [{ test = "ForAllValues:StringLike", key = "dynamodb:LeadingKeys", values = ["lease#*"] }]
          }
          StartTuner = {
            actions   = ["states:StartExecution"]
            resources = [module.tuner.state_machine_arn]
          }
          WaitForTuner = {
            actions   = ["states:DescribeExecution", "states:StopExecution"]
            resources = ["${local._execution}:${module.tuner.state_machine_name}:*"]
          }
          # how Step Functions itself hears that an execution has ended
          HearOfTuner = {
            actions   = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
            resources = ["arn:${local.partition}:events:${local.region}:${local.account_id}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"]
          }
          Tell = {
            actions    = ["events:PutEvents"]
            resources  = ["arn:${local.partition}:events:${local.region}:${local.account_id}:event-bus/default"]
            conditions = [{ test = "StringEquals", key = "events:source", values = ["lambda-dyno.retune"] }]
          }
        },
        { for arn in var.notice_topic_arn[*] : "Publish" => { actions = ["sns:Publish"], resources = [arn] } },
      )

      events = {
        Start = {
          actions   = ["states:StartExecution"]
          resources = ["arn:${local.partition}:states:${local.region}:${local.account_id}:stateMachine:${local.name}"]
        }
      }
    },
    {
      for github in var.github[*] : "dispatch" => merge(local._of_logs["dispatch"], {
        ReadKey = {
          actions   = ["secretsmanager:GetSecretValue"]
          resources = [github.private_key_secret_arn]
        }
      })
    },
  )

  _services = { states = "states.amazonaws.com", events = "events.amazonaws.com" }
  roles     = toset(concat(keys(local.handlers), keys(local._services)))
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [lookup(local._services, each.key, "lambda.amazonaws.com")]
    }

    # Lambda names no account when it assumes a function's role
    dynamic "condition" {
      for_each = contains(keys(local._services), each.key) ? [local.account_id] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [condition.value]
      }
    }
  }
}

data "aws_iam_policy_document" "this" {
  for_each = local.roles

  dynamic "statement" {
    for_each = local.permissions[each.key]

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = try(statement.value.conditions, [])

        content {
          test     = condition.value.test
          variable = condition.value.key
          values   = condition.value.values
        }
      }
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${local.name}-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = "own-work"
  role   = aws_iam_role.this[each.key].name
  policy = data.aws_iam_policy_document.this[each.key].json
}
