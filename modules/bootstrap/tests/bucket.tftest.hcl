# Whose bucket it is, and how long superseded versions of states stay.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  bucket = { name = "dyno-states" }
}

run "superseded_versions_go_and_current_states_stay" {
  command = plan

  assert {
    condition = one(aws_s3_bucket_lifecycle_configuration.this[0].rule) != null && alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.this[0].rule :
      rule.status == "Enabled" && one(rule.noncurrent_version_expiration).noncurrent_days == 90
    ])
    error_message = "They go 90 days after they were superseded."
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.this[0].rule :
      one(rule.expiration).expired_object_delete_marker
    ])
    error_message = "The marks of what was deleted go with them."
  }
}

run "superseded_versions_stay_for_ever" {
  command = plan

  variables {
    bucket = { name = "dyno-states", superseded_versions_end_days = 0 }
  }

  assert {
    condition     = length(aws_s3_bucket.this) == 1 && length(aws_s3_bucket_lifecycle_configuration.this) == 0
    error_message = "0 days are never."
  }
}

run "a_bucket_of_somebody_elses_is_left_alone" {
  command = plan

  variables {
    bucket = { name = "team-states", managed = false }
  }

  assert {
    condition = sum([
      length(aws_s3_bucket.this),
      length(aws_s3_bucket_lifecycle_configuration.this),
      length(aws_s3_bucket_ownership_controls.this),
      length(aws_s3_bucket_policy.this),
      length(aws_s3_bucket_public_access_block.this),
      length(aws_s3_bucket_server_side_encryption_configuration.this),
      length(aws_s3_bucket_versioning.this),
      length(module.github_oidc),
    ]) == 0
    error_message = "Nothing of it is planned."
  }
}
