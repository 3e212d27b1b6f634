# For whoever has tflint: `make lint` runs it then. Its rules for Terraform are in the program.
plugin "terraform" {
  enabled = true
  preset  = "recommended"
}
