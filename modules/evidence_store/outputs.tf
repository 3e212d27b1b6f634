output "bucket_arn" {
  description = "ARN of the bucket."
  value       = local.arn
}

output "bucket_name" {
  description = "Name of the bucket, which is set up."
  value       = var.bucket_name

  depends_on = [
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

output "store" {
  description = "What stands behind store under [evidence] of dyno.toml."
  value       = "s3://${var.bucket_name}${var.prefix == "" ? "" : "/${trimsuffix(var.prefix, "/")}"}"
}
