data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

# aws_region fails in regions that are newer than the provider; this one knows them, too
data "aws_service" "lambda" {
  service_id = "lambda"
}

locals {
  # By name, not by the function's attribute, so that both modules are made at the same time.
  function_arn = join(":", [
    "arn:${data.aws_partition.this.partition}:lambda",
    data.aws_service.lambda.region,
    data.aws_caller_identity.this.account_id,
    "function:${module.service.function_name}",
  ])
  # modules/function gives both the same name
  function_role_arn = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:role/${module.service.function_name}"
}

module "packages" {
  source = "../packages"

  name_prefix = var.name_prefix
  packages    = var.packages
}

module "service" {
  source = "../service"

  name_prefix              = var.name_prefix
  package                  = module.packages.packages["crud_api"]
  canary                   = var.canary
  permissions_boundary_arn = var.permissions_boundary_arn
  log_retention_days       = var.log_retention_days

  api = {
    authorization = var.api_authorization
  }

  function = {
    architecture = var.architecture
    log_format   = var.log_format
    memory_mb    = var.memory_mb
  }
}

module "power_tuner" {
  source = "../power_tuner"

  name_prefix              = var.name_prefix
  architecture             = var.architecture
  package                  = module.packages.packages["power_tuner"]
  permissions_boundary_arn = var.permissions_boundary_arn
  log_retention_days       = var.log_retention_days
  tunable_function_arns    = [local.function_arn]
  copies                   = var.tuner_copies ? { role_arns = [local.function_role_arn] } : null
}
