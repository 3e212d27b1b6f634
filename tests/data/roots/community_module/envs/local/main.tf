terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}
variable "name_prefix" { type = string }
variable "packages" { type = map(object({ path = string, sha256_base64 = string })) }

variable "tags" { type = map(string) }
module "lambda" {
  source                 = "../../modules/lambda"
  function_name          = "${var.name_prefix}-fn"
  handler                = "app.handler"
  runtime                = "python3.12"
  publish                = true
  local_existing_package = var.packages["hello"].path
  tags                   = merge(var.tags, { Name = "fn" })
}
output "function_arn" { value = module.lambda.lambda_function_arn }
output "api_url" { value = null }
