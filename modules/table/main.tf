resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_28:var.protection switches it on; an ephemeral table has nothing to recover
  #checkov:skip=CKV_AWS_119:AWS encrypts tables itself; a key of one's own is for whom a rule asks for it

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
