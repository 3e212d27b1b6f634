locals {
  # A version's or alias's ARN is the function's with a colon and more: what may be done to
  # versions only (invoke, delete) cannot be done to a function.
  _versions = [for arn in var.tunable_function_arns : "${arn}:*"]

  # What the key of a function's environment variables and package is needed for is done by Lambda
  # in the name of who changes or publishes the function, and by S3 in the name of who reads.
  _dns_suffixes = distinct(["amazonaws.com", data.aws_partition.this.dns_suffix])

  _with_function_keys = length(var.kms_key_arns) == 0 ? {} : {
    FunctionKeys = {
      actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"]
      resources = var.kms_key_arns
      via       = [for suffix in local._dns_suffixes : "lambda.*.${suffix}"]
    }
  }

  _with_payload_keys = length(var.kms_key_arns) == 0 || var.payload_bucket == null ? {} : {
    PayloadKeys = {
      actions   = ["kms:Decrypt"]
      resources = var.kms_key_arns
      via       = [for suffix in local._dns_suffixes : "s3.*.${suffix}"]
    }
  }

  _with_roles = length(var.assumable_role_arns) == 0 ? {} : {
    FunctionsOfOthers = {
      actions   = ["sts:AssumeRole"]
      resources = var.assumable_role_arns
    }
  }

  _with_payload_bucket = var.payload_bucket == null ? {} : {
    Payload = {
      actions   = ["s3:GetObject"]
      resources = ["arn:${data.aws_partition.this.partition}:s3:::${var.payload_bucket.name}/${var.payload_bucket.key_pattern}"]
    }
    # without it, S3 answers 403 for an object that does not exist
    PayloadExists = {
      actions   = ["s3:ListBucket"]
      resources = ["arn:${data.aws_partition.this.partition}:s3:::${var.payload_bucket.name}"]
    }
  }

  _with_processors = length(var.processor_function_arns) == 0 ? {} : {
    Processors = {
      actions   = ["lambda:InvokeFunction"]
      resources = flatten([for arn in var.processor_function_arns : [arn, "${arn}:*"]])
    }
  }

  # Copies of functions (isolation clone), by names that nothing else has: they alone may be made
  # and deleted, and get no role but those that are named.
  _copies     = "${local._functions}:${var.name_prefix}-copy-*"
  _copy_logs  = "arn:${data.aws_partition.this.partition}:logs:${local._arn_end}:log-group:/aws/lambda/${var.name_prefix}-copy-*"
  _copy_roles = try(var.copies.role_arns, [])

  # What is done with the functions themselves, which a tuner of copies only reads.
  _of_functions = ["DeleteVersions", "Invoke", "Optimize", "Publish", "Restore", "WaitForVersions"]
  _copies_only  = try(var.copies.only, false)

  _with_copies = {
    prepare = {
      ReadCode = {
        actions   = ["lambda:GetFunction"] # of the version that is copied
        resources = local._versions
      }
      Copy = {
        actions = [
          "lambda:CreateAlias",
          "lambda:CreateFunction",
          "lambda:GetFunctionConfiguration",
          "lambda:ListAliases",
          "lambda:ListVersionsByFunction",
          "lambda:PublishVersion",
          "lambda:TagResource",
          "lambda:UpdateAlias",
          "lambda:UpdateFunctionConfiguration",
        ]
        resources = [local._copies]
      }
      WaitForVersionsOfCopy = {
        actions   = ["lambda:GetFunctionConfiguration"]
        resources = ["${local._copies}:*"]
      }
      GiveCopyItsRole = {
        actions   = ["iam:PassRole"]
        resources = local._copy_roles
        to        = "lambda.amazonaws.com"
      }
      GiveCopyItsLayers = {
        actions   = ["lambda:GetLayerVersion"]
        resources = try(var.copies.layer_arns, [])
      }
      ReadPackagesOfCopy = {
        actions   = ["s3:GetObject"]
        resources = [for package in try(var.copies.packages, {}) : "arn:${data.aws_partition.this.partition}:s3:::${package.s3.bucket}/${package.s3.key}"]
      }
      PlaceCopy = {
        actions = [
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSubnets",
          "ec2:DescribeVpcs",
          "ec2:GetSecurityGroupsForVpc",
          "elasticfilesystem:DescribeMountTargets",
        ]
        # Lambda asks for these as they are, in the name of who places a function into a VPC
        resources = try(var.copies.in_vpc, false) ? ["*"] : []
      }
    }
    measure = {
      InvokeCopy = {
        actions   = ["lambda:InvokeFunction"]
        resources = ["${local._copies}:*"]
      }
    }
    clean-up = {
      DeleteCopy = {
        actions   = ["lambda:DeleteFunction"]
        resources = [local._copies]
      }
      DeleteLogsOfCopy = {
        actions   = ["logs:DeleteLogGroup"]
        resources = [local._copy_logs]
      }
    }
  }

  permissions = {
    prepare = merge(local._with_roles, local._with_payload_bucket, local._with_payload_keys, local._with_function_keys, {
      Publish = {
        actions = [
          "lambda:CreateAlias",
          "lambda:GetFunction", # configuration and reserved concurrency
          "lambda:GetFunctionConfiguration",
          "lambda:ListAliases",
          "lambda:ListVersionsByFunction",
          "lambda:PublishVersion",
          "lambda:UpdateAlias",
          "lambda:UpdateFunctionConfiguration",
        ]
        resources = var.tunable_function_arns
      }
      WaitForVersions = {
        actions   = ["lambda:GetFunctionConfiguration"]
        resources = local._versions
      }
      SeeOtherExecutions = {
        actions   = ["states:DescribeExecution"]
        resources = [local.execution_arns]
      }
      CleanUp = {
        actions   = ["lambda:InvokeFunction"]
        resources = [local.clean_up_function_arn]
      }
    })

    measure = merge(local._with_roles, local._with_payload_bucket, local._with_payload_keys, local._with_processors, {
      Invoke = {
        actions   = ["lambda:InvokeFunction"]
        resources = local._versions
      }
    })

    analyze = {}

    optimize = merge(local._with_roles, local._with_function_keys, {
      CleanUp = {
        actions   = ["lambda:InvokeFunction"]
        resources = [local.clean_up_function_arn]
      }
      Optimize = {
        actions = [
          "lambda:CreateAlias",
          "lambda:GetFunctionConfiguration",
          "lambda:ListAliases",
          "lambda:PublishVersion",
          "lambda:UpdateAlias",
          "lambda:UpdateFunctionConfiguration",
        ]
        resources = var.tunable_function_arns
      }
      WaitForVersions = {
        actions   = ["lambda:GetFunctionConfiguration"]
        resources = local._versions
      }
    })

    clean-up = merge(local._with_roles, local._with_function_keys, {
      Restore = {
        actions = [
          "lambda:DeleteAlias",
          "lambda:GetFunctionConfiguration",
          "lambda:ListAliases",
          "lambda:ListVersionsByFunction",
          "lambda:UpdateAlias",
          "lambda:UpdateFunctionConfiguration",
        ]
        resources = var.tunable_function_arns
      }
      DeleteVersions = {
        actions   = ["lambda:DeleteFunction"]
        resources = local._versions
      }
      SeeExecutions = {
        actions   = ["states:DescribeExecution"]
        resources = [local.execution_arns]
      }
    })
  }
}

data "aws_iam_policy_document" "lambda_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "function" {
  for_each = local.functions

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this[each.key].arn}:*"] # the group's streams
  }

  dynamic "statement" {
    for_each = merge(
      {
        for sid, statement in local.permissions[each.key] : sid => statement
        if !(local._copies_only && contains(local._of_functions, sid))
      },
      {
        for sid, statement in try(local._with_copies[each.key], {}) : sid => statement
        if var.copies != null && length(statement.resources) > 0
      },
    )

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = try([statement.value.via], [])

        content {
          test     = "StringLike"
          variable = "kms:ViaService"
          values   = condition.value
        }
      }

      dynamic "condition" {
        for_each = try([statement.value.to], [])

        content {
          test     = "StringEquals"
          variable = "iam:PassedToService"
          values   = [condition.value]
        }
      }
    }
  }

  dynamic "statement" {
    for_each = var.vpc[*]

    content {
      sid = "Network"
      actions = [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
      ]
      resources = ["*"] # Lambda needs these as they are to place a function into a VPC
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name                 = "${local.name}-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.lambda_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "own-work"
  role   = aws_iam_role.function[each.key].name
  policy = data.aws_iam_policy_document.function[each.key].json
}

data "aws_iam_policy_document" "state_machine_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "state_machine" {
  statement {
    sid       = "InvokeStates"
    actions   = ["lambda:InvokeFunction"]
    resources = [for function in aws_lambda_function.this : function.arn]
  }
}

resource "aws_iam_role" "state_machine" {
  name                 = "${local.name}-states"
  assume_role_policy   = data.aws_iam_policy_document.state_machine_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "state_machine" {
  name   = "own-work"
  role   = aws_iam_role.state_machine.name
  policy = data.aws_iam_policy_document.state_machine.json
}
