locals {
  # The file is valid as it is, with the partition that most regions are in.
  _text = templatefile("${path.module}/state_machine.asl.json", {
    payload_arn  = aws_lambda_function.this["payload"].arn
    record_arn   = aws_lambda_function.this["record"].arn
    traffic_arn  = aws_lambda_function.this["traffic"].arn
    dispatch_arn = try(aws_lambda_function.this["dispatch"].arn, "")
    table_name   = aws_dynamodb_table.leases.name
    topic_arn    = var.notice_topic_arn == null ? "" : var.notice_topic_arn
    tuner_arn    = module.tuner.state_machine_arn
  })
  _definition = jsondecode(replace(local._text, "arn:aws:states:::", "arn:${local.partition}:states:::"))

  # Who is told, one after the other. A state that nobody comes to is none.
  _told = concat(
    ["Notice"],
    var.notice_topic_arn == null ? [] : ["Publish"],
    var.github == null ? [] : ["Dispatch"],
    ["Told"],
  )
  _next = { for index, name in slice(local._told, 0, length(local._told) - 1) : name => local._told[index + 1] }

  states = {
    for name, state in local._definition.States : name => merge(
      state,
      { for next in try([local._next[name]], []) : "Next" => next },
      # what a template has no place for: objects and numbers
      {
        for functions in name == "Begin" ? [local.functions] : [] : "Assign" => merge(state.Assign, {
          functions     = functions
          lease_seconds = var.least_hours_between * 3600
        })
      },
      { for seconds in name == "Tune" ? [var.tuning_timeout_seconds + 300] : [] : "TimeoutSeconds" => seconds },
    )
    if !contains(["Publish", "Dispatch"], name) || contains(local._told, name)
  }

  # What others' ARNs must begin with to be of this account and region.
  _own = {
    functions = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:"
    alarms    = "arn:${local.partition}:cloudwatch:${local.region}:${local.account_id}:"
  }
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_284:the execution's history tells what it did
  #checkov:skip=CKV_AWS_285:payloads would be in the log; the history is kept for 90 days

  name     = local.name
  role_arn = aws_iam_role.this["states"].arn
  definition = jsonencode(merge(local._definition, {
    States         = local.states
    TimeoutSeconds = var.tuning_timeout_seconds + 1800
  }))

  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = alltrue([for function in var.functions : startswith(function.arn, local._own.functions)])
      error_message = "functions: each ARN must be of this account and region: ${local._own.functions}function:NAME:ALIAS."
    }

    precondition {
      condition = alltrue([
        for arn in flatten([for function in var.functions : function.alarm_arns]) : startswith(arn, local._own.alarms)
      ])
      error_message = "functions: each of alarm_arns must be of this account and region: ${local._own.alarms}alarm:NAME."
    }

    precondition {
      condition     = alltrue([for function in var.functions : startswith(function.payload.key, local.payload_prefix)])
      error_message = "functions: each payload.key must begin with ${local.payload_prefix}, where main's role alone writes."
    }
  }
}
