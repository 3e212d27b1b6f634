# The policies of permissions.yaml with the ARNs of this account: one document for each role, and
# one for each boundary.

locals {
  _account   = data.aws_caller_identity.this.account_id
  _partition = data.aws_partition.this.partition
  _region    = data.aws_service.lambda.region
  _home      = "${local._region}:${local._account}"

  # ARNs up to the resource's name
  _arns = {
    account      = local._account
    apis         = "arn:${local._partition}:apigateway:${local._region}:"
    buckets      = "arn:${local._partition}:s3::"
    executions   = "arn:${local._partition}:states:${local._home}:execution"
    functions    = "arn:${local._partition}:lambda:${local._home}:function"
    logs         = "arn:${local._partition}:logs:${local._home}:log-group"
    machines     = "arn:${local._partition}:states:${local._home}:stateMachine"
    roles        = "arn:${local._partition}:iam::${local._account}:role"
    rules        = "arn:${local._partition}:events:${local._home}:rule"
    stages       = "arn:${local._partition}:execute-api:${local._home}"
    state_bucket = "arn:${local._partition}:s3:::${var.state.bucket}"
    tables       = "arn:${local._partition}:dynamodb:${local._home}:table"
  }

  # A run's id is its minute and four random characters: 251120-0915-k3f9.
  _run_id = "??????-????-????"

  # What each role works on: start of the names, keys of the state and of what is beside it.
  _deployed = var.deployed == null ? null : {
    name       = var.deployed.name_prefix
    state_keys = [var.deployed.state_key]
  }
  _targets = {
    deploy = local._deployed
    gate = {
      name       = "${var.ephemeral_name}-${local._run_id}"
      state_keys = [for end in ["tfstate", "lease.json"] : "${var.state.key_prefix}${local._run_id}.${end}"]
    }
    plan = local._deployed
    tune = local._deployed
  }

  # What a role works as: main's own runs are those of the gate, by a role that no pull request gets.
  _works_as = { for role in keys(local.subjects) : role => lookup({ main = "gate" }, role, role) }

  # The roles that make others, and what bounds those.
  boundary_arns = {
    for role in ["deploy", "gate"] : role => "arn:${local._partition}:iam::${local._account}:policy/${var.name_prefix}-${role}-boundary"
    if contains(values(local._works_as), role)
  }

  documents = merge(
    { for role, as in local._works_as : role => { role = as, statements_of = as } },
    { for role in keys(local.boundary_arns) : "${role}-boundary" => { role = role, statements_of = "boundary" } },
  )

  statements = {
    for name, document in local.documents : name => [
      for statement in yamldecode(templatefile("${path.module}/permissions.yaml", merge(local._arns, {
        boundary = try(local.boundary_arns[document.role], "")
        name     = local._targets[document.role].name
        stage    = replace(local._targets[document.role].name, "-", "_")
        state    = [for key in local._targets[document.role].state_keys : "${local._arns.state_bucket}/${key}"]
        }))) : {
        sid       = statement.sid
        actions   = concat(statement.actions, try(statement["${document.role}_actions"], []))
        resources = statement.resources
        conditions = concat(
          [for variable, values in try(statement.equals, {}) : { test = "StringEquals", variable = variable, values = values }],
          [for kind in compact([try(statement.tagged, "")]) : { test = "StringEquals", variable = "aws:${kind}/dyno:env", values = [var.environment] }],
          [for kind in compact([try(statement.tagged, "")]) : { test = "Null", variable = "aws:${kind}/dyno:expires", values = [tostring(document.role != "gate")] }],
        )
      } if contains(statement.roles, document.statements_of) || contains(statement.roles, name)
    ]
  }
}

data "aws_iam_policy_document" "this" {
  for_each = local.statements

  dynamic "statement" {
    for_each = each.value

    content {
      sid       = statement.value.sid
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = statement.value.conditions

        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }

  # What a tuner's roles may do with keys, see modules/power_tuner/iam.tf.
  dynamic "statement" {
    for_each = endswith(each.key, "-boundary") && length(var.kms_key_arns) > 0 ? [1] : []

    content {
      sid       = "UseKeys"
      actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"]
      resources = var.kms_key_arns

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = [for service in ["lambda", "s3"] : "${service}.${local._region}.amazonaws.com*"]
      }
    }
  }
}

resource "aws_iam_policy" "boundary" {
  for_each = local.boundary_arns

  name        = "${var.name_prefix}-${each.key}-boundary"
  description = "Bounds every role that ${var.name_prefix}-${each.key} makes."
  policy      = data.aws_iam_policy_document.this["${each.key}-boundary"].json
}
