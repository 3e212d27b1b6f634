# For what was deployed before modules/environment was there: Terraform moves it in its state.

moved {
  from = module.packages
  to   = module.environment.module.packages
}

moved {
  from = module.power_tuner
  to   = module.environment.module.power_tuner
}

moved {
  from = module.service
  to   = module.environment.module.service
}
