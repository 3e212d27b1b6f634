locals {
  # A version's or alias's ARN is the function's with a colon and more.
  _versions = [for arn in var.tunable_function_arns : "${arn}:*"]

  # Of a service that uses a key in the name of somebody, in any region.
  _dns_suffixes = distinct(["amazonaws.com", data.aws_partition.this.dns_suffix])

  # Copies of functions (isolation clone) have names that nothing else has.
  _copies      = "${local._functions}:${var.name_prefix}-copy-*"
  _copy_logs   = "arn:${data.aws_partition.this.partition}:logs:${local._arn_end}:log-group:/aws/lambda/${var.name_prefix}-copy-*"
  _copy_roles  = try(var.copies.role_arns, [])
  _with_copies = var.copies != null
  _copies_only = try(var.copies.only, false)
  _buckets     = "arn:${data.aws_partition.this.partition}:s3:::"

  # What the statements of permissions.yaml are about; an empty list leaves a statement out.
  _resources = {
    assumable_roles    = var.assumable_role_arns
    clean_up_function  = [local.clean_up_function_arn]
    copied_versions    = local._with_copies ? local._versions : []
    copies             = local._with_copies ? [local._copies] : []
    copies_in_vpc      = try(var.copies.in_vpc, false) ? ["*"] : []
    copy_layers        = try(var.copies.layer_arns, [])
    copy_packages      = [for package in try(var.copies.packages, {}) : "${local._buckets}${package.s3.bucket}/${package.s3.key}"]
    copy_roles         = local._copy_roles
    executions         = [local.execution_arns]
    function_keys      = var.kms_key_arns
    functions          = local._copies_only ? [] : var.tunable_function_arns
    logs_of_copies     = local._with_copies ? [local._copy_logs] : []
    payload_buckets    = [for bucket in var.payload_bucket[*] : "${local._buckets}${bucket.name}"]
    payload_keys       = var.payload_bucket == null ? [] : var.kms_key_arns
    payload_objects    = [for bucket in var.payload_bucket[*] : "${local._buckets}${bucket.name}/${bucket.key_pattern}"]
    processors         = flatten([for arn in var.processor_function_arns : [arn, "${arn}:*"]])
    versions           = local._copies_only ? [] : local._versions
    versions_of_copies = local._with_copies ? ["${local._copies}:*"] : []
  }

  # JSON is YAML: the lists come into the file as they are.
  _statements = yamldecode(templatefile("${path.module}/permissions.yaml", {
    for name, arns in local._resources : name => jsonencode(arns)
  }))

  permissions = {
    for name in keys(local.functions) : name => {
      for statement in local._statements : statement.sid => statement
      if contains(statement.roles, name) && length(statement.resources) > 0
    }
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
    for_each = local.permissions[each.key]

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = try([statement.value.via], [])

        content {
          test     = "StringLike"
          variable = "kms:ViaService"
          values   = [for suffix in local._dns_suffixes : "${condition.value}.*.${suffix}"]
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
