locals {
  nodes_by_role = { for role in ["server", "client", "edge"] : role => sort([for name, node in var.nodes : name if node.role == role]) }

  consul_policies = {
    clipper-anonymous = file("${path.module}/policies/consul/anonymous.hcl")
    clipper-library   = file("${path.module}/policies/consul/library.hcl")
    clipper-nomad-server = templatefile("${path.module}/policies/consul/nomad-server.hcl.tftpl", {
      nodes = local.nodes_by_role.server
    })
    clipper-nomad-client = templatefile("${path.module}/policies/consul/nomad-client.hcl.tftpl", {
      nodes            = local.nodes_by_role.client
      service_prefixes = var.service_prefixes
    })
    clipper-fabio = templatefile("${path.module}/policies/consul/fabio.hcl.tftpl", {
      nodes = local.nodes_by_role.edge
    })
  }

  # The agents have these secrets in their files, and use them as soon as Consul has the tokens.
  consul_tokens = merge(
    { for name in keys(var.nodes) : "agent-${name}" => {
      Description    = "Consul's agent on ${name}"
      NodeIdentities = [{ NodeName = name, Datacenter = var.datacenter }]
    } },
    { for user in ["nomad-server", "nomad-client", "fabio"] : user => {
      Description = "clipper-${user}"
      Policies    = [{ Name = "clipper-${user}" }]
    } }
  )
  consul_secrets = merge(
    { for name in keys(var.nodes) : "agent-${name}" => lookup(var.consul_agent_tokens, name, "") },
    {
      nomad-server = var.consul_nomad_server_token
      nomad-client = var.consul_nomad_client_token
      fabio        = var.consul_fabio_token
    }
  )
}

module "consul_policies" {
  source   = "../modules/acl_object"
  for_each = local.consul_policies

  api              = local.consul
  management_token = var.consul_management_token
  kind             = "consul-policy"
  id               = each.key
  body             = jsonencode({ Name = each.key, Description = "See terraform/access.", Rules = each.value })
}

module "consul_tokens" {
  source     = "../modules/acl_object"
  for_each   = local.consul_tokens
  depends_on = [module.consul_policies]

  api              = local.consul
  management_token = var.consul_management_token
  kind             = "consul-token"
  id               = uuidv5("dns", "${each.key}.clipper-nomad")
  body = jsonencode(merge(each.value, {
    AccessorID = uuidv5("dns", "${each.key}.clipper-nomad")
    SecretID   = local.consul_secrets[each.key]
  }))
}

module "consul_library_token" {
  source     = "../modules/acl_object"
  depends_on = [module.consul_policies]

  api              = local.consul
  management_token = var.consul_management_token
  kind             = "consul-token"
  id               = uuidv5("dns", "library.clipper-nomad")
  makes_secret     = true
  body = jsonencode({
    AccessorID  = uuidv5("dns", "library.clipper-nomad")
    Description = "clipper-library"
    Policies    = [{ Name = "clipper-library" }]
  })
}

# The token of all requests without one, among them Consul's DNS. It has these policies alone.
module "consul_anonymous_token" {
  source     = "../modules/acl_object"
  depends_on = [module.consul_policies]

  api              = local.consul
  management_token = var.consul_management_token
  kind             = "consul-anonymous"
  id               = "00000000-0000-0000-0000-000000000002"
  body             = jsonencode({ Description = "Anonymous Token", Policies = [{ Name = "clipper-anonymous" }] })
}
