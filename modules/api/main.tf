locals {
  # API Gateway builds its paths as a tree; two levels are all that is needed here.
  top_paths    = { for path in var.paths : path => trimprefix(path, "/") if length(split("/", path)) == 2 }
  nested_paths = { for path in var.paths : path => split("/", path) if length(split("/", path)) == 3 }
  resource_ids = merge(
    { for path, resource in aws_api_gateway_resource.top : path => resource.id },
    { for path, resource in aws_api_gateway_resource.nested : path => resource.id },
  )
}

resource "aws_api_gateway_rest_api" "this" {
  #checkov:skip=CKV_AWS_237:another API has another URL, whichever comes first

  name = "${var.name_prefix}-api"

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_resource" "top" {
  for_each = local.top_paths

  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = each.value
}

resource "aws_api_gateway_resource" "nested" {
  for_each = local.nested_paths

  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.top["/${each.value[1]}"].id
  path_part   = each.value[2]
}

# ANY, not one method each: a third of the resources, and the function answers a wrong method
# with 405 and the right ones, where API Gateway would say "Missing Authentication Token".
resource "aws_api_gateway_method" "this" {
  #checkov:skip=CKV_AWS_59:AWS_IAM unless the caller says NONE, as the example of a public API does
  #checkov:skip=CKV2_AWS_53:the function checks each request, and says what is wrong with it

  for_each = var.paths

  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = local.resource_ids[each.key]
  http_method   = "ANY"
  authorization = var.authorization
}

resource "aws_api_gateway_integration" "this" {
  for_each = var.paths

  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = local.resource_ids[each.key]
  http_method             = aws_api_gateway_method.this[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = var.target.alias_invoke_arn
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  # a deployment is a snapshot: without triggers, changed routes stay undeployed
  triggers = {
    api    = aws_api_gateway_rest_api.this.id
    routes = sha1(jsonencode([var.authorization, var.paths, var.target.alias_invoke_arn]))
  }

  depends_on = [aws_api_gateway_integration.this]

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_73:tracing changes what is measured
  #checkov:skip=CKV_AWS_120:a cache would be measured in place of the function
  #checkov:skip=CKV2_AWS_4:execution logs hold payloads; var.access_logs tells who calls what
  #checkov:skip=CKV2_AWS_29:IAM is in front of it, and a limit on requests; a web ACL has a standing price
  #checkov:skip=CKV2_AWS_51:the integration is a function, which IAM guards, and no HTTP server

  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = var.stage_name

  dynamic "access_log_settings" {
    for_each = aws_cloudwatch_log_group.access

    content {
      destination_arn = access_log_settings.value.arn
      format          = local.access_log_format
    }
  }

  lifecycle {
    # Without access logs AWS returns no settings, MiniStack empty ones: an endless difference.
    # So switching them makes the stage anew (same name, same URL).
    ignore_changes       = [access_log_settings]
    replace_triggered_by = [terraform_data.access_logs]
  }
}

resource "terraform_data" "access_logs" {
  input = var.access_logs
}

resource "aws_api_gateway_method_settings" "this" {
  #checkov:skip=CKV_AWS_225:a cache would be measured in place of the function

  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    throttling_burst_limit = var.throttling.burst_limit
    throttling_rate_limit  = var.throttling.rate_limit
  }
}

resource "aws_lambda_permission" "this" {
  statement_id  = "api-${aws_api_gateway_rest_api.this.id}"
  action        = "lambda:InvokeFunction"
  function_name = var.target.function_name
  qualifier     = var.target.alias_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/${var.stage_name}/*"
}
