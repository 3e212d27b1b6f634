locals {
  # Events of AWS's own services, which nobody else can put on a bus, of this account and region. A
  # rule is about one function, and says which.
  _own_events = { account = [local.account_id], region = [local.region] }

  rules = merge(
    {
      for name, function in var.functions : "${name}-alarm" => {
        function = name
        cause    = "alarm"
        schedule = null
        paths    = { alarm = "$.detail.alarmName", configuration = "$.detail.configuration" }
        pattern = jsonencode(merge(local._own_events, {
          source      = ["aws.cloudwatch"]
          detail-type = ["CloudWatch Alarm State Change"]
          resources   = function.alarm_arns
          detail      = { state = { value = ["ALARM"] } }
        }))
      } if length(function.alarm_arns) > 0
    },
    {
      for name, function in var.functions : "${name}-alias" => {
        function = name
        cause    = "alias"
        schedule = null
        paths    = { parameters = "$.detail.requestParameters" }
        pattern = jsonencode(merge(local._own_events, {
          source      = ["aws.lambda"]
          detail-type = ["AWS API Call via CloudTrail"]
          detail = {
            eventSource = ["lambda.amazonaws.com"]
            eventName   = [{ prefix = "UpdateAlias" }]
            errorCode   = [{ exists = false }]
            requestParameters = {
              # in any of the forms that a caller may name a function by
              functionName = [
                local.arns[name][6],
                "${local.account_id}:function:${local.arns[name][6]}",
                "${local.account_id}:${local.arns[name][6]}",
                join(":", slice(local.arns[name], 0, 7)),
              ]
              name            = [local.arns[name][7]]
              functionVersion = [{ exists = true }]
            }
          }
        }))
      } if function.on_new_version
    },
    {
      for name, function in var.functions : "${name}-schedule" => {
        function = name
        cause    = "schedule"
        schedule = function.schedule
        paths    = {}
        pattern  = null
      } if function.schedule != null
    },
    {
      for name, function in var.functions : "${name}-traffic" => {
        function = name
        cause    = "traffic"
        schedule = "rate(1 day)"
        paths    = {}
        pattern  = null
      } if function.traffic != null
    },
  )
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  # a rule's name has 64 characters at most, so it has a hash of the function's
  name                = "${local.name}-${substr(sha256(each.value.function), 0, 6)}-${each.value.cause}"
  description         = "May start a tuning of ${each.value.function}: ${each.value.cause}."
  event_pattern       = each.value.pattern
  schedule_expression = each.value.schedule
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules

  rule     = aws_cloudwatch_event_rule.this[each.key].name
  arn      = aws_sfn_state_machine.this.arn
  role_arn = aws_iam_role.this["events"].arn

  # what is old tells nothing of now
  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 20
  }

  input_transformer {
    input_paths = merge({ id = "$.id", time = "$.time" }, each.value.paths)
    input_template = join("", [
      "{\"cause\": \"${each.value.cause}\", \"function\": \"${each.value.function}\", ",
      "\"event\": {\"id\": <id>, \"time\": <time>}",
      join("", [for name in sort(keys(each.value.paths)) : ", \"${name}\": <${name}>"]),
      "}",
    ])
  }
}
