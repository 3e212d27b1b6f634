"""Terraform: the program, roots, providers, and the packages that they deploy."""
