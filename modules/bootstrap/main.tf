data "aws_partition" "this" {}

locals {
  managed = var.bucket.managed ? 1 : 0
  arn     = "arn:${data.aws_partition.this.partition}:s3:::${var.bucket.name}"
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:a bucket for its logs would need one of its own; CloudTrail has data events
  #checkov:skip=CKV_AWS_144:what a lost state held is found by tags and names: dyno sweep
  #checkov:skip=CKV_AWS_145:SSE-S3; a key of one's own would be one more thing that the roles need
  #checkov:skip=CKV2_AWS_61:it has one below, unless 0 days are wanted
  #checkov:skip=CKV2_AWS_62:nobody waits for a state

  count = local.managed

  bucket = var.bucket.name

  lifecycle {
    prevent_destroy = true # with it, Terraform would forget everything that it has made
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count = local.managed

  bucket = aws_s3_bucket.this[0].bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  count = local.managed

  bucket                  = aws_s3_bucket.this[0].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count = local.managed

  bucket = aws_s3_bucket.this[0].bucket

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  count = local.managed

  bucket = aws_s3_bucket.this[0].bucket

  versioning_configuration {
    status = "Enabled"
  }
}

# Each run leaves some versions of its state, and a mark that it is deleted.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = var.bucket.superseded_versions_end_days > 0 ? local.managed : 0

  bucket = aws_s3_bucket_versioning.this[0].bucket

  rule {
    id     = "superseded-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.bucket.superseded_versions_end_days
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

data "aws_iam_policy_document" "tls_only" {
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
}

resource "aws_s3_bucket_policy" "this" {
  count = local.managed

  bucket = aws_s3_bucket.this[0].bucket
  policy = data.aws_iam_policy_document.tls_only.json

  # both change what a policy may say, and S3 takes one change at a time
  depends_on = [aws_s3_bucket_public_access_block.this]
}

module "github_oidc" {
  source = "../github_oidc"
  count  = var.github == null ? 0 : 1

  deployed                 = var.github.deployed
  environment              = var.github.environment
  ephemeral_name           = var.github.ephemeral_name
  kms_key_arns             = var.github.kms_key_arns
  max_session_seconds      = var.github.max_session_seconds
  name_prefix              = var.github.name_prefix
  permissions_boundary_arn = var.github.permissions_boundary_arn
  provider_arn             = var.github.provider_arn
  subjects                 = var.github.subjects

  state = {
    bucket     = var.bucket.name
    key_prefix = var.github.state_key_prefix
  }
}
