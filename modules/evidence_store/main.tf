data "aws_partition" "this" {}

# aws_region fails in regions that are newer than the provider; this one knows them, too
data "aws_service" "s3" {
  service_id = "s3"
}

locals {
  arn = "arn:${data.aws_partition.this.partition}:s3:::${var.bucket_name}"

  # What there is below an environment, by who may add there. "retunings" is below main, too: its
  # adder is a state machine that may add no run.
  _below = {
    main      = ["main/payloads/", "main/rows/", "main/runs/"]
    retunings = ["main/retunings/"]
    pr        = ["pr/"]
    other     = ["other/"]
  }

  # one for each environment and kind of adder that has keys of its own
  _spaces = merge([
    for env, adders in var.environments : {
      for kind, below in local._below : "${env}/${kind}" => {
        keys      = [for part in below : "${var.prefix}${env}/${part}"]
        role_arns = adders[kind]
      }
    }
  ]...)

  _environments = [for env in keys(var.environments) : "${local.arn}/${var.prefix}${env}/*"]

  adders = merge([
    for space, found in local._spaces : {
      for name, arn in found.role_arns : "${space}/${name}" => {
        arn   = arn
        keys  = found.keys
        space = replace(space, "/", "-")
      }
    }
  ]...)

  # What readers read: of main, and if it is wanted of pull requests.
  _read = flatten([
    for env in keys(var.environments) : [
      for part in var.readers.with_pr ? ["main/", "pr/"] : ["main/"] : "${var.prefix}${env}/${part}"
    ]
  ])

  kms = var.kms_key_arn == null ? [] : [var.kms_key_arn]
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:a bucket for its logs would need one of its own; CloudTrail has data events
  #checkov:skip=CKV_AWS_144:another region's copy is a matter of the account's own rules
  #checkov:skip=CKV_AWS_145:SSE-S3 unless kms_key_arn is given; a key is one more thing that roles need
  #checkov:skip=CKV2_AWS_61:it has one below, unless all of it stays for ever
  #checkov:skip=CKV2_AWS_62:nobody waits for an object

  bucket              = var.bucket_name
  object_lock_enabled = var.object_lock != null

  lifecycle {
    prevent_destroy = true # what was measured cannot be measured again
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.bucket

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  count = var.object_lock == null ? 0 : 1

  bucket = aws_s3_bucket_versioning.this.bucket

  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.days
    }
  }
}

# Nobody deletes but this: the policy below refuses everybody, and does not hold for S3 itself.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = length(local.endings) > 0 ? 1 : 0

  bucket = aws_s3_bucket_versioning.this.bucket

  dynamic "rule" {
    for_each = local.endings

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      expiration {
        days = rule.value.days
      }
    }
  }

  rule {
    id     = "gone"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 1 # what has ended, or what Athena replaced
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

locals {
  _ends = merge(
    { "athena-results" = { prefix = "${var.prefix}athena-results/", days = var.end_days.athena_results } },
    merge([
      for env in keys(var.environments) : {
        "${env}-rows"      = { prefix = "${var.prefix}${env}/main/rows/", days = var.end_days.rows }
        "${env}-retunings" = { prefix = "${var.prefix}${env}/main/retunings/", days = var.end_days.rows }
        "${env}-runs"      = { prefix = "${var.prefix}${env}/main/runs/", days = var.end_days.runs }
        "${env}-pr"        = { prefix = "${var.prefix}${env}/pr/", days = var.end_days.pr }
        "${env}-other"     = { prefix = "${var.prefix}${env}/other/", days = var.end_days.other }
      }
    ]...),
  )

  endings = { for name, found in local._ends : name => found if found.days > 0 }
}
