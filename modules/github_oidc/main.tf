data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

# aws_region fails in regions that are newer than the provider; this one knows them, too
data "aws_service" "lambda" {
  service_id = "lambda"
}

locals {
  issuer = "token.actions.githubusercontent.com"

  # known before the first apply, so that a plan shows the policies
  provider_arn = "arn:${local._partition}:iam::${local._account}:oidc-provider/${local.issuer}"

  # a role that nobody may assume is not made
  subjects = { for role, subjects in var.subjects : role => subjects if length(subjects) > 0 }
}

# AWS checks GitHub's certificate against its own list of authorities: no thumbprint is needed.
resource "aws_iam_openid_connect_provider" "this" {
  count = var.provider_arn == null ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

# StringEquals on both claims, and nothing else: a token without the claim, of a fork, of another
# branch or for another audience does not match.
data "aws_iam_policy_document" "trust" {
  #checkov:skip=CKV_AWS_358:subjects come by a variable, whose validation refuses wildcards and anything but repo:OWNER/NAME:…

  for_each = local.subjects

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [coalesce(var.provider_arn, local.provider_arn)]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = each.value
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.subjects

  name                 = "${var.name_prefix}-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = var.max_session_seconds
  permissions_boundary = var.permissions_boundary_arn

  depends_on = [aws_iam_openid_connect_provider.this]
}

resource "aws_iam_role_policy" "this" {
  for_each = local.subjects

  name   = "own-work"
  role   = aws_iam_role.this[each.key].name
  policy = data.aws_iam_policy_document.this[each.key].json
}
