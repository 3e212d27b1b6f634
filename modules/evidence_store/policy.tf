# What the bucket refuses, whatever a role's own policy allows.

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["*"] # a refusal of everything, not a permission
    resources = [local.arn, "${local.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"] # nobody is excepted
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # PutObject, CopyObject and CompleteMultipartUpload need `If-None-Match: *`; what comes before the
  # end of a multipart upload takes no such header, and makes no object.
  statement {
    sid       = "AddOnly"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = local._environments

    principals {
      type        = "*"
      identifiers = ["*"] # nobody is excepted
    }

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }

    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }
  }

  # Lifecycle rules are S3's own, and not asked.
  statement {
    sid    = "DeleteNothing"
    effect = "Deny"
    actions = [
      "s3:BypassGovernanceRetention",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:PutObjectAcl",
      "s3:PutObjectVersionAcl",
      "s3:ReplicateDelete",
      "s3:ReplicateObject",
    ]
    resources = local._environments

    principals {
      type        = "*"
      identifiers = ["*"] # nobody is excepted
    }
  }

  dynamic "statement" {
    for_each = { for space, found in local._spaces : space => found if !endswith(space, "/other") }

    content {
      sid       = "Only${join("", regexall("[A-Za-z0-9]+", title(replace(statement.key, "/", " "))))}${index(keys(local._spaces), statement.key)}"
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = [for key in statement.value.keys : "${local.arn}/${key}*"]

      principals {
        type        = "*"
        identifiers = ["*"] # all but those below
      }

      # without any adder there is no exception
      dynamic "condition" {
        for_each = length(statement.value.role_arns) > 0 ? [1] : []

        content {
          test     = "ArnNotEquals"
          variable = "aws:PrincipalArn"
          values   = values(statement.value.role_arns)
        }
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.bucket
  policy = data.aws_iam_policy_document.bucket.json

  # both change what a policy may say, and S3 takes one change at a time
  depends_on = [aws_s3_bucket_public_access_block.this]
}

# What a role may do: add below its own keys, and neither list nor read; or read, and add nothing.

data "aws_iam_policy_document" "adder" {
  for_each = local.adders

  statement {
    sid       = "AddEvidence"
    actions   = ["s3:PutObject"]
    resources = [for key in each.value.keys : "${local.arn}/${key}*"]
  }

  dynamic "statement" {
    for_each = local.kms

    content {
      sid       = "EncryptEvidence"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"] # the former for uploads in parts
      resources = [statement.value]

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.${data.aws_service.s3.region}.amazonaws.com*"]
      }
    }
  }
}

resource "aws_iam_role_policy" "adder" {
  for_each = local.adders

  name   = "add-evidence-${each.value.space}"
  role   = reverse(split("/", each.value.arn))[0]
  policy = data.aws_iam_policy_document.adder[each.key].json
}

data "aws_iam_policy_document" "reader" {
  statement {
    sid       = "ReadEvidence"
    actions   = ["s3:GetObject"]
    resources = [for key in local._read : "${local.arn}/${key}*"]
  }

  statement {
    sid       = "ListEvidence"
    actions   = ["s3:ListBucket"]
    resources = [local.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [for key in local._read : "${key}*"]
    }
  }

  dynamic "statement" {
    for_each = local.kms

    content {
      sid       = "DecryptEvidence"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.${data.aws_service.s3.region}.amazonaws.com*"]
      }
    }
  }
}

resource "aws_iam_role_policy" "reader" {
  for_each = var.readers.role_arns

  name   = "read-evidence"
  role   = reverse(split("/", each.value))[0]
  policy = data.aws_iam_policy_document.reader.json
}
