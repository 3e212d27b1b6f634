"""Terraform states: the bucket, whose state it is, and how it is recovered."""
