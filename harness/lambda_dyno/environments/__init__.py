"""Environments in an account: made by Terraform, taken down, swept, and looked for after that."""
