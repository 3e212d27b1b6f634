# What the roles may do. Each action is one that a real run asks for: tests/e2e/test_oidc_roles.py
# makes those runs with IAM enforced, and fails for an action that is missing and for one too many.

locals {
  _account   = data.aws_caller_identity.this.account_id
  _partition = data.aws_partition.this.partition
  _region    = data.aws_service.lambda.region
  _home      = "${local._region}:${local._account}"

  # ARNs up to the resource's name
  apis       = "arn:${local._partition}:apigateway:${local._region}:"
  buckets    = "arn:${local._partition}:s3::"
  executions = "arn:${local._partition}:states:${local._home}:execution"
  functions  = "arn:${local._partition}:lambda:${local._home}:function"
  logs       = "arn:${local._partition}:logs:${local._home}:log-group"
  machines   = "arn:${local._partition}:states:${local._home}:stateMachine"
  roles      = "arn:${local._partition}:iam::${local._account}:role"
  rules      = "arn:${local._partition}:events:${local._home}:rule"
  stages     = "arn:${local._partition}:execute-api:${local._home}"
  tables     = "arn:${local._partition}:dynamodb:${local._home}:table"

  # A run's id is its minute and four random characters: 251120-0915-k3f9.
  _run_id = "??????-????-????"

  # What the gate and the deploy role work on: start of the names, keys of the state and of what
  # is beside it, and whether the role may also look for and remove everything.
  environments = {
    for role, environment in {
      deploy = var.deployed == null ? null : {
        name       = var.deployed.name_prefix
        state_keys = [var.deployed.state_key]
        ephemeral  = false
      }
      gate = {
        name       = "${var.ephemeral_name}-${local._run_id}"
        state_keys = [for end in ["tfstate", "lease.json"] : "${var.state.key_prefix}${local._run_id}.${end}"]
        ephemeral  = true
      }
    } : role => environment if contains(keys(local.subjects), role)
  }

  # An environment's resources as IAM names them.
  resources = {
    for role, environment in merge(local.environments, var.deployed == null ? {} : { plan = { name = var.deployed.name_prefix } }) : role => {
      buckets    = "${local.buckets}:${environment.name}-packages-${local._account}"
      executions = "${local.executions}:${environment.name}-*"
      functions  = "${local.functions}:${environment.name}-*"
      logs       = ["${local.logs}:/aws/lambda/${environment.name}-*", "${local.logs}:/aws/apigateway/${environment.name}-*"]
      machines   = "${local.machines}:${environment.name}-*"
      roles      = "${local.roles}/${environment.name}-*"
      rules      = "${local.rules}/${environment.name}-*"
      tables     = "${local.tables}/${environment.name}-*"
    }
  }

  # The tags that everything of an environment has: of which one, and whether it expires.
  tag_conditions = {
    for role in keys(local.resources) : role => [
      { test = "StringEquals", tag = "dyno:env", values = [var.environment] },
      { test = "Null", tag = "dyno:expires", values = [role == "gate" ? "false" : "true"] },
    ]
  }
}

# What Terraform asks when it looks at an environment: all of it goes into three of the roles.
data "aws_iam_policy_document" "read" {
  for_each = local.resources

  statement {
    sid = "ReadFunctions"
    actions = [
      "lambda:GetAlias",
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:GetPolicy",
      "lambda:ListVersionsByFunction",
    ]
    resources = [each.value.functions]
  }

  statement {
    sid = "ReadTables"
    actions = [
      "dynamodb:DescribeContinuousBackups",
      "dynamodb:DescribeTable",
      "dynamodb:DescribeTimeToLive",
      "dynamodb:ListTagsOfResource",
    ]
    resources = [each.value.tables]
  }

  statement {
    sid = "ReadRoles"
    actions = [
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListRolePolicies",
    ]
    resources = [each.value.roles]
  }

  statement {
    sid = "ReadRules"
    actions = [
      "events:DescribeRule",
      "events:ListTagsForResource",
      "events:ListTargetsByRule",
    ]
    resources = [each.value.rules]
  }

  statement {
    sid       = "ReadLogGroups"
    actions   = ["logs:ListTagsForResource"]
    resources = each.value.logs
  }

  statement {
    sid = "ReadStateMachines"
    actions = [
      "states:DescribeStateMachine",
      "states:ListStateMachineVersions",
      "states:ListTagsForResource",
    ]
    resources = [each.value.machines]
  }

  statement {
    sid = "ReadBuckets"
    actions = [
      "s3:GetAccelerateConfiguration",
      "s3:GetBucketAcl",
      "s3:GetBucketCORS",
      "s3:GetBucketLogging",
      "s3:GetBucketObjectLockConfiguration",
      "s3:GetBucketPolicy",
      "s3:GetBucketPublicAccessBlock",
      "s3:GetBucketRequestPayment",
      "s3:GetBucketTagging",
      "s3:GetBucketVersioning",
      "s3:GetBucketWebsite",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket",
    ]
    resources = [each.value.buckets]
  }

  statement {
    sid       = "ReadPackages"
    actions   = ["s3:GetObject", "s3:GetObjectTagging"]
    resources = ["${each.value.buckets}/*"]
  }

  # API Gateway chooses the ids of its APIs: their tags say whose they are, and what is below an
  # API counts as tagged like it.
  statement {
    sid       = "ReadApis"
    actions   = ["apigateway:GET"]
    resources = ["${local.apis}:/restapis/*"]

    dynamic "condition" {
      for_each = local.tag_conditions[each.key]

      content {
        test     = condition.value.test
        variable = "aws:ResourceTag/${condition.value.tag}"
        values   = condition.value.values
      }
    }
  }
}

data "aws_iam_policy_document" "plan" {
  count = var.deployed == null ? 0 : 1

  source_policy_documents = [data.aws_iam_policy_document.read["plan"].json]

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"] # without it, S3 answers 403 for a state that is not there yet
    resources = ["${local.buckets}:${var.state.bucket}"]
  }

  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = ["${local.buckets}:${var.state.bucket}/${var.deployed.state_key}"]
  }

  # a plan that reads while somebody writes would be wrong: it takes the lock, and writes no state
  statement {
    sid       = "LockState"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.buckets}:${var.state.bucket}/${var.deployed.state_key}.tflock"]
  }

  statement {
    sid       = "Look"
    actions   = ["logs:DescribeLogGroups", "states:ValidateStateMachineDefinition"]
    resources = ["*"] # neither knows a resource: the one lists, the other reads its input
  }
}

# Tuning the deployed function: the power tuner that stands beside it does all the work with a
# role of its own, which may touch that function alone. This one starts it and reads.
data "aws_iam_policy_document" "tune" {
  count = var.deployed == null ? 0 : 1

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"] # without it, S3 answers 403 for a state that is not there yet
    resources = ["${local.buckets}:${var.state.bucket}"]
  }

  statement {
    sid       = "ReadState" # for its outputs: which function, which tuner
    actions   = ["s3:GetObject"]
    resources = ["${local.buckets}:${var.state.bucket}/${var.deployed.state_key}"]
  }

  statement {
    sid = "SeeFunction" # and whether it can be tuned
    actions = [
      "lambda:GetAlias",
      "lambda:GetFunctionConcurrency",
      "lambda:GetFunctionConfiguration",
      "lambda:ListFunctionUrlConfigs",
    ]
    resources = ["${local.functions}:${var.deployed.name_prefix}-*"]
  }

  statement {
    sid       = "Tune"
    actions   = ["states:DescribeStateMachine", "states:StartExecution"]
    resources = ["${local.machines}:${var.deployed.name_prefix}-*"]
  }

  statement {
    sid       = "FollowTuning"
    actions   = ["states:DescribeExecution", "states:GetExecutionHistory", "states:StopExecution"]
    resources = ["${local.executions}:${var.deployed.name_prefix}-*"]
  }

  # after a tuning that was stopped: whether its clean-up has left anything
  statement {
    sid       = "SeeCleanUp"
    actions   = ["lambda:ListAliases", "lambda:ListVersionsByFunction"]
    resources = ["${local.functions}:${var.deployed.name_prefix}-*"]
  }
}

data "aws_iam_policy_document" "environment" {
  for_each = local.environments

  source_policy_documents = concat(
    [data.aws_iam_policy_document.read[each.key].json],
    [for policy in data.aws_iam_policy_document.ephemeral : policy.json if each.value.ephemeral],
  )

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"] # without it, S3 answers 403 for a state that is not there yet
    resources = ["${local.buckets}:${var.state.bucket}"]
  }

  statement {
    sid       = "State"
    actions   = concat(["s3:GetObject", "s3:PutObject"], each.value.ephemeral ? ["s3:DeleteObject"] : [])
    resources = [for key in each.value.state_keys : "${local.buckets}:${var.state.bucket}/${key}"]
  }

  statement {
    sid       = "LockState"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.buckets}:${var.state.bucket}/${each.value.state_keys[0]}.tflock"]
  }

  statement {
    sid       = "Look"
    actions   = ["logs:DescribeLogGroups", "states:ValidateStateMachineDefinition"]
    resources = ["*"] # neither knows a resource: the one lists, the other reads its input
  }

  # Nothing is made without the tags by which it is found again.
  statement {
    sid = "MakeTagged"
    actions = [
      "dynamodb:CreateTable",
      "lambda:CreateFunction",
      "logs:CreateLogGroup",
      "states:CreateStateMachine",
    ]
    resources = concat(
      [local.resources[each.key].functions, local.resources[each.key].machines, local.resources[each.key].tables],
      local.resources[each.key].logs,
    )

    dynamic "condition" {
      for_each = local.tag_conditions[each.key]

      content {
        test     = condition.value.test
        variable = "aws:RequestTag/${condition.value.tag}"
        values   = condition.value.values
      }
    }
  }

  # and no role without the boundary
  statement {
    sid       = "MakeRoles"
    actions   = ["iam:CreateRole"]
    resources = [local.resources[each.key].roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.boundary_arns[each.key]]
    }

    dynamic "condition" {
      for_each = local.tag_conditions[each.key]

      content {
        test     = condition.value.test
        variable = "aws:RequestTag/${condition.value.tag}"
        values   = condition.value.values
      }
    }
  }

  statement {
    sid       = "WriteRolePolicies"
    actions   = ["iam:PutRolePolicy"]
    resources = [local.resources[each.key].roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.boundary_arns[each.key]]
    }
  }

  statement {
    sid = "Roles"
    actions = [
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:ListInstanceProfilesForRole",
      "iam:TagRole",
    ]
    resources = [local.resources[each.key].roles]
  }

  statement {
    sid       = "GiveRoles"
    actions   = ["iam:PassRole"]
    resources = [local.resources[each.key].roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com", "states.amazonaws.com"]
    }
  }

  statement {
    sid = "Functions"
    actions = concat(
      [
        "lambda:AddPermission",
        "lambda:CreateAlias",
        "lambda:DeleteFunction",
        "lambda:GetFunctionConfiguration",
        "lambda:InvokeFunction", # a new version, before callers meet it; a baseline, for its cost
        "lambda:PublishVersion",
        "lambda:RemovePermission",
        "lambda:TagResource",
        "lambda:UpdateAlias",
        "lambda:UpdateFunctionConfiguration",
      ],
      each.value.ephemeral ? ["lambda:DeleteAlias"] : ["lambda:UpdateFunctionCode"],
    )
    resources = [local.resources[each.key].functions]
  }

  statement {
    sid = "Tables"
    actions = concat(
      ["dynamodb:TagResource"],
      each.value.ephemeral
      ? ["dynamodb:BatchWriteItem", "dynamodb:DeleteTable"]
      : ["dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable"], # modules/table: protection
    )
    resources = [local.resources[each.key].tables]
  }

  statement {
    sid = "Rules"
    actions = [
      "events:DeleteRule",
      "events:PutRule",
      "events:PutTargets",
      "events:RemoveTargets",
      "events:TagResource",
    ]
    resources = [local.resources[each.key].rules]
  }

  statement {
    sid       = "LogGroups"
    actions   = ["logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource"]
    resources = local.resources[each.key].logs
  }

  statement {
    sid       = "StateMachines"
    actions   = concat(["states:DeleteStateMachine", "states:TagResource"], each.value.ephemeral ? [] : ["states:UpdateStateMachine"])
    resources = [local.resources[each.key].machines]
  }

  statement {
    sid = "Buckets"
    actions = concat(
      ["s3:CreateBucket", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging"],
      # Terraform empties a bucket version by version, also one that keeps no versions
      each.value.ephemeral ? ["s3:DeleteBucket", "s3:ListBucketVersions"] : [],
    )
    resources = [local.resources[each.key].buckets]
  }

  statement {
    sid       = "Packages"
    actions   = concat(["s3:PutObject", "s3:PutObjectTagging"], each.value.ephemeral ? ["s3:DeleteObject", "s3:DeleteObjectVersion"] : [])
    resources = ["${local.resources[each.key].buckets}/*"]
  }

  statement {
    sid       = "MakeApis"
    actions   = ["apigateway:POST"]
    resources = ["${local.apis}:/restapis"]

    dynamic "condition" {
      for_each = local.tag_conditions[each.key]

      content {
        test     = condition.value.test
        variable = "aws:RequestTag/${condition.value.tag}"
        values   = condition.value.values
      }
    }
  }

  # Asked when something is made with tags. It tags no other API: that asks for PATCH on it, too.
  statement {
    sid       = "TagApis"
    actions   = ["apigateway:PUT"]
    resources = ["${local.apis}:/tags/*"]
  }

  statement {
    sid       = "Apis"
    actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"]
    resources = ["${local.apis}:/restapis/*"]

    dynamic "condition" {
      for_each = local.tag_conditions[each.key]

      content {
        test     = condition.value.test
        variable = "aws:ResourceTag/${condition.value.tag}"
        values   = condition.value.values
      }
    }
  }

  # The stage has the environment's name, with underscores.
  statement {
    sid       = "CallApis"
    actions   = ["execute-api:Invoke"]
    resources = ["${local.stages}:*/${replace(each.value.name, "-", "_")}/*"]
  }
}

# What only an environment that is measured and taken down asks for.
data "aws_iam_policy_document" "ephemeral" {
  for_each = { for role, environment in local.environments : role => environment if environment.ephemeral }

  # Teardown is proven by looking: what begins with the environment's name is left behind. The
  # account's concurrency is looked at before a run is throttled by it.
  statement {
    sid = "LookForAll"
    actions = [
      "dynamodb:ListTables",
      "events:ListRules",
      "iam:ListRoles",
      "lambda:GetAccountSettings",
      "lambda:ListFunctions",
      "s3:ListAllMyBuckets",
      "states:ListStateMachines",
      "tag:GetResources",
    ]
    resources = ["*"] # lists and settings know no resource
  }

  statement {
    sid       = "LookForApis"
    actions   = ["apigateway:GET"]
    resources = ["${local.apis}:/restapis", "${local.apis}:/apis"]
  }

  statement {
    sid       = "Tune"
    actions   = ["states:StartExecution"]
    resources = [local.resources[each.key].machines]
  }

  statement {
    sid       = "FollowTuning"
    actions   = ["states:DescribeExecution", "states:GetExecutionHistory", "states:StopExecution"]
    resources = [local.resources[each.key].executions]
  }

  # after a tuning that was stopped: whether its clean-up has left anything
  statement {
    sid       = "SeeCleanUp"
    actions   = ["lambda:ListAliases"]
    resources = [local.resources[each.key].functions]
  }
}
