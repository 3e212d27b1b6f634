data "aws_caller_identity" "this" {}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:packages can be built again; nobody's data is in it
  #checkov:skip=CKV_AWS_21:packages can be built again
  #checkov:skip=CKV_AWS_144:packages can be built again
  #checkov:skip=CKV_AWS_145:S3 encrypts it with its own key
  #checkov:skip=CKV2_AWS_61:it goes with its environment
  #checkov:skip=CKV2_AWS_62:nobody waits for a package

  # bucket names are the whole world's: the account makes this one ours
  bucket        = "${var.name_prefix}-packages-${data.aws_caller_identity.this.account_id}"
  force_destroy = true # what is in it can be built again
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_object" "this" {
  for_each = var.packages

  bucket      = aws_s3_bucket.this.bucket
  key         = "${each.key}.zip"
  source      = each.value.path
  source_hash = each.value.sha256_base64
}
