# What ends when, and what stays for ever.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  bucket_name  = "evidence"
  environments = { dev = {} }
}

run "each_class_ends_by_itself_and_rows_never" {
  command = plan

  assert {
    condition = { for name, found in local.endings : found.prefix => found.days } == {
      "athena-results/" = 7
      "dev/main/runs/"  = 400
      "dev/other/"      = 30
      "dev/pr/"         = 90
    }
    error_message = "Main's rows stay, and so do its retunings."
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this[0].rule) == 5
    error_message = "One for each class that ends, and one for what has ended."
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.this[0].rule : rule.status == "Enabled"])
    error_message = "Each rule is at work."
  }
}

run "all_of_it_stays" {
  command = plan

  variables {
    end_days = { athena_results = 0, other = 0, pr = 0, rows = 0, runs = 0 }
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0
    error_message = "0 days are never."
  }
}
