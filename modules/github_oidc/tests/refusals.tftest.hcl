# What is refused before anything is made: `terraform init && terraform test` in this module's folder.
# Each run has a wrong value for many variables, and all of them must be refused, and no other.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  environment = "dev"
  name_prefix = "github-dyno-dev"
  deployed    = { name_prefix = "dyno-dev", state_key = "lambda-dyno/dev/deployed.tfstate" }
  state       = { bucket = "states", key_prefix = "lambda-dyno/dev/" }
  subjects    = { plan = ["repo:acme/tuning:pull_request"] }
}

run "refused_1" {
  command = plan

  variables {
    environment         = "*"
    ephemeral_name      = "*"
    max_session_seconds = 900
    provider_arn        = "arn:aws:iam::111122223333:oidc-provider/example.com"
    state               = { bucket = "*", key_prefix = "a/" }
  }

  expect_failures = [
    var.environment,
    var.ephemeral_name,
    var.max_session_seconds,
    var.provider_arn,
    var.state,
  ]
}

run "refused_2" {
  command = plan

  variables {
    deployed            = { name_prefix = "dyno-dev-", state_key = "lambda-dyno/dev/deployed.tfstate" }
    max_session_seconds = 43201
    state               = { bucket = "states", key_prefix = "*/" }
  }

  expect_failures = [
    var.deployed,
    var.max_session_seconds,
    var.state,
  ]
}

run "refused_3" {
  command = plan

  variables {
    deployed            = { name_prefix = "dyno-dev", state_key = "*.tfstate" }
    max_session_seconds = 3600.5
  }

  expect_failures = [
    var.deployed,
    var.max_session_seconds,
  ]
}

run "refused_4" {
  command = plan

  variables {
    name_prefix = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }

  expect_failures = [
    var.name_prefix,
  ]
}

run "refused_5" {
  command = plan

  variables {
    name_prefix = "Github"
  }

  expect_failures = [
    var.name_prefix,
  ]
}

# What is compared with another variable: Terraform does so once both are right by themselves.

run "deployed_begins_like_a_run" {
  command = plan

  variables {
    deployed = { name_prefix = "dyno", state_key = "lambda-dyno/dev/deployed.tfstate" }
  }

  expect_failures = [
    var.deployed,
  ]
}

run "deployed_begins_like_the_roles" {
  command = plan

  variables {
    deployed = { name_prefix = "github", state_key = "lambda-dyno/dev/deployed.tfstate" }
  }

  expect_failures = [
    var.deployed,
  ]
}

run "deployed_looks_like_a_run" {
  command = plan

  variables {
    deployed = { name_prefix = "dyno-251120-0915-k3f9", state_key = "lambda-dyno/dev/deployed.tfstate" }
  }

  expect_failures = [
    var.deployed,
  ]
}

run "roles_look_like_a_run" {
  command = plan

  variables {
    name_prefix = "dyno-251120-0915-k3f9"
  }

  expect_failures = [
    var.name_prefix,
  ]
}

# Who may assume a role.

run "subject_none" {
  command = plan

  variables {
    subjects = {}
  }

  expect_failures = [
    var.subjects,
  ]
}

run "deploy_branch" {
  command = plan

  variables {
    subjects = { deploy = ["repo:acme/tuning:ref:refs/heads/main"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "tune_pull_request" {
  command = plan

  variables {
    subjects = { tune = ["repo:acme/tuning:pull_request"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "roles_for_nothing_deployed" {
  command = plan

  variables {
    deployed = null
  }

  expect_failures = [
    var.subjects,
  ]
}

run "subject_star" {
  command = plan

  variables {
    subjects = { plan = ["repo:acme/tuning:*"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "subject_org" {
  command = plan

  variables {
    subjects = { plan = ["repo:acme/*:pull_request"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "subject_owner" {
  command = plan

  variables {
    subjects = { plan = ["repo:*/tuning:pull_request"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "subject_branch" {
  command = plan

  variables {
    subjects = { plan = ["repo:acme/tuning:ref:refs/heads/*"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "subject_any" {
  command = plan

  variables {
    subjects = { plan = ["repo:acme/tunin?:pull_request"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "subject_repo" {
  command = plan

  variables {
    subjects = { plan = ["repo:acme/tuning"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "subject_name" {
  command = plan

  variables {
    subjects = { plan = ["acme/tuning:pull_request"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "subject_environment" {
  command = plan

  variables {
    subjects = { plan = ["repo:acme/tuning:environment:"] }
  }

  expect_failures = [
    var.subjects,
  ]
}

run "kms_key_alias" {
  command = plan

  variables {
    kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:alias/mine"]
  }

  expect_failures = [
    var.kms_key_arns,
  ]
}

run "subject_of_main" {
  command = plan

  variables {
    subjects = { main = ["repo:acme/tuning:pull_request"] }
  }

  expect_failures = [
    var.subjects,
  ]
}
