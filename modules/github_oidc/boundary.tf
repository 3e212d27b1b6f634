# The most that a function or a state machine of an environment may ever do, whatever its own
# policy says. Without it, whoever may write a role's policy may do everything.
data "aws_iam_policy_document" "boundary" {
  for_each = local.environments

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.logs}:/aws/lambda/${each.value.name}-*"]
  }

  statement {
    sid = "Items"
    actions = [
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Scan",
      "dynamodb:UpdateItem",
    ]
    resources = ["${local.tables}/${each.value.name}-*"]
  }

  statement {
    sid = "Tune"
    actions = [
      "lambda:CreateAlias",
      "lambda:DeleteAlias",
      "lambda:GetFunction",
      "lambda:GetFunctionConfiguration",
      "lambda:InvokeFunction",
      "lambda:ListAliases",
      "lambda:ListVersionsByFunction",
      "lambda:PublishVersion",
      "lambda:UpdateAlias",
      "lambda:UpdateFunctionConfiguration",
    ]
    resources = ["${local.functions}:${each.value.name}-*"]
  }

  statement {
    sid       = "DeleteVersions"
    actions   = ["lambda:DeleteFunction"]
    resources = ["${local.functions}:${each.value.name}-*:*"] # versions, never a function
  }

  statement {
    sid       = "SeeExecutions"
    actions   = ["states:DescribeExecution"]
    resources = ["${local.executions}:${each.value.name}-*"]
  }
}

resource "aws_iam_policy" "boundary" {
  for_each = local.environments

  name        = "${var.name_prefix}-${each.key}-boundary"
  description = "Bounds every role that ${var.name_prefix}-${each.key} makes."
  policy      = data.aws_iam_policy_document.boundary[each.key].json
}
