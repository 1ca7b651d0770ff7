locals {
  nomad_policies = {
    clipper-library  = templatefile("${path.module}/policies/nomad/library.hcl.tftpl", { redis_volume = var.redis_volume })
    clipper-observer = file("${path.module}/policies/nomad/observer.hcl")
  }
}

module "nomad_bootstrap" {
  source = "../modules/acl_object"

  api              = local.nomad
  management_token = var.nomad_bootstrap_token
  kind             = "nomad-bootstrap"
  id               = "bootstrap"
  body             = jsonencode({ BootstrapSecret = var.nomad_bootstrap_token })
}

module "nomad_policies" {
  source     = "../modules/acl_object"
  for_each   = local.nomad_policies
  depends_on = [module.nomad_bootstrap]

  api              = local.nomad
  management_token = var.nomad_bootstrap_token
  kind             = "nomad-policy"
  id               = each.key
  body             = jsonencode({ Name = each.key, Description = "See terraform/access.", Rules = each.value })
}

# One for each policy, of the same name.
module "nomad_tokens" {
  source     = "../modules/acl_object"
  for_each   = local.nomad_policies
  depends_on = [module.nomad_policies]

  api              = local.nomad
  management_token = var.nomad_bootstrap_token
  kind             = "nomad-token"
  id               = each.key
  makes_secret     = true
  body             = jsonencode({ Name = each.key, Type = "client", Policies = [each.key] })
}
