resource "aws_dynamodb_table" "this" {
  name                        = "${var.name_prefix}-items"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = var.protection.deletion_protection

  attribute {
    name = "id"
    type = "S"
  }

  point_in_time_recovery {
    enabled = var.protection.point_in_time_recovery
  }
}
