locals {
  # who, what, how long and with what outcome; never a payload
  access_log_format = jsonencode({
    requestId          = "$context.requestId"
    requestTimeEpoch   = "$context.requestTimeEpoch"
    sourceIp           = "$context.identity.sourceIp"
    caller             = "$context.identity.caller"
    httpMethod         = "$context.httpMethod"
    resourcePath       = "$context.resourcePath"
    status             = "$context.status"
    responseLength     = "$context.responseLength"
    responseLatency    = "$context.responseLatency"
    integrationLatency = "$context.integrationLatency"
    error              = "$context.error.responseType"
  })
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_158:AWS encrypts log groups itself; a key of one's own protects nothing here, and costs
  #checkov:skip=CKV_AWS_338:the environment says how long; an ephemeral one needs days

  count = var.access_logs ? 1 : 0

  name              = "/aws/apigateway/${var.name_prefix}-api"
  retention_in_days = var.log_retention_days
}
