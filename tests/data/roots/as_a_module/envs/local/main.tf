variable "name_prefix" { type = string }
variable "packages" { type = map(object({ path = string, sha256_base64 = string })) }

module "app" {
  source     = "../../infra"
  project    = var.name_prefix
  lambda_zip = var.packages["hello"].path
}
output "function_arn" { value = module.app.publisher_arn }
