locals {
  # the function's routes; a contract test holds both sides together
  routes = jsondecode(file("${path.module}/routes.json"))
}

module "table" {
  source = "../table"

  name_prefix = var.name_prefix
  protection  = var.protection
}

module "function" {
  source = "../function"

  name_prefix              = var.name_prefix
  name                     = "crud-api"
  handler                  = "crud_api.handler.handler"
  package                  = var.package
  architecture             = var.function.architecture
  canary                   = var.canary
  memory_mb                = var.function.memory_mb
  timeout_seconds          = var.function.timeout_seconds
  permissions_boundary_arn = var.permissions_boundary_arn
  log_format               = var.function.log_format
  log_retention_days       = var.log_retention_days

  environment = {
    TABLE_NAME = module.table.table_name
  }

  permissions = {
    Items = {
      actions = [
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
      ]
      resources = [module.table.table_arn]
    }
  }
}

module "api" {
  source = "../api"

  name_prefix        = var.name_prefix
  access_logs        = var.api.access_logs
  authorization      = var.api.authorization
  log_retention_days = var.log_retention_days
  paths              = keys(local.routes)

  # API Gateway chooses an API's id: the stage is what lets a policy on invoking name this API
  stage_name = replace(var.name_prefix, "-", "_")

  target = {
    alias_name       = module.function.alias_name
    alias_invoke_arn = module.function.alias_invoke_arn
    function_name    = module.function.function_name
  }

  throttling = {
    burst_limit = var.api.burst_limit
    rate_limit  = var.api.rate_limit
  }
}
