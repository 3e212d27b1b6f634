output "packages" {
  description = "The packages by name, as the modules of functions take them."
  value = {
    for name, object in aws_s3_object.this : name => {
      s3            = { bucket = object.bucket, key = object.key }
      sha256_base64 = var.packages[name].sha256_base64
    }
  }
}
