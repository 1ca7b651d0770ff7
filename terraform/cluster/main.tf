# The module scaleway lists the nodes; material makes their certificates and tokens; nodes renders the user data and the
# secrets of each; scaleway creates the nodes with these.

module "material" {
  source = "../modules/material"

  nodes                      = { for name, node in module.scaleway.nodes : name => { address = node.address, role = node.role } }
  datacenter                 = var.datacenter
  certificate_validity_hours = var.certificate_validity_hours
  certificate_renewal_hours  = var.certificate_renewal_hours
}

module "nodes" {
  source = "../modules/nodes"

  name            = var.name
  datacenter      = var.datacenter
  nodes           = module.scaleway.nodes
  pools           = local.node_pools
  versions        = var.versions
  fabio           = merge(var.fabio, { http_port = local.fabio.http_port, ui_port = local.fabio.ui_port })
  material        = module.material.material
  registry_logins = module.scaleway.registry_logins
  fetch_secrets   = module.scaleway.fetch_secrets
}

module "scaleway" {
  source = "../modules/scaleway"

  name                  = var.name
  region                = var.region
  zones                 = local.zones
  private_cidr          = var.private_cidr
  servers               = var.servers
  edge                  = var.edge
  pools                 = local.instance_pools
  admin_cidrs           = var.admin_cidrs
  ssh_keys              = var.ssh_keys
  domain                = var.domain
  dns_zone              = var.dns_zone
  public_paths          = var.public_paths
  load_balancer_type    = var.load_balancer_type
  fabio                 = local.fabio
  registry_name         = coalesce(var.registry_name, var.name)
  bootstrap_key_minutes = var.bootstrap_key_minutes
  user_data             = module.nodes.user_data
  secret_bundles        = module.nodes.secret_bundles
}
