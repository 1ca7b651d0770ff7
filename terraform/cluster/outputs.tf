output "access" {
  description = "The inputs of access/: tofu output -json access > ../access/cluster.auto.tfvars.json"
  sensitive   = true
  value = {
    nomad_address          = "https://${local.server_address}:4646"
    consul_address         = "https://${local.server_address}:8501"
    ca_pem                 = module.material.ca_pem
    nomad_tls_server_name  = "server.global.nomad"
    consul_tls_server_name = "server.${var.datacenter}.consul"
    datacenter             = var.datacenter
    nodes                  = { for name, node in module.scaleway.nodes : name => { role = node.role } }
    fabio = {
      address   = "fabio.service.consul"
      http_port = local.fabio.http_port
      tcp_port  = local.fabio.tcp_port
    }
    redis_volume              = var.redis_volume
    registry                  = module.scaleway.registry_endpoint
    environment               = {}
    consul_management_token   = module.material.material.consul_management_token
    nomad_bootstrap_token     = module.material.nomad_bootstrap_token
    consul_agent_tokens       = module.material.material.consul_agent_tokens
    consul_nomad_server_token = module.material.material.consul_nomad_server_token
    consul_nomad_client_token = module.material.material.consul_nomad_client_token
    consul_fabio_token        = module.material.material.consul_fabio_token
  }

  precondition {
    condition     = length(local.problems) == 0
    error_message = join(" ", local.problems)
  }
}

output "query_url" {
  description = "The URL of Clipper's default cluster: append the application's name and /predict."
  value       = var.domain != null ? "https://${var.domain}/clipper/" : "http://fabio.service.consul:${local.fabio.http_port}/clipper/"
}

output "edge_address" {
  description = "The load balancer's public address, for the domain's A record."
  value       = module.scaleway.edge_address
}

output "uis" {
  description = <<-EOT
    Where the UIs are. Those of Nomad and Consul want a token, and have certificates of the cluster's own authority;
    Fabio's is within the private network.
  EOT
  value = {
    nomad  = "https://${local.server_address}:4646/ui/"
    consul = "https://${local.server_address}:8501/ui/"
    fabio  = [for node in module.scaleway.nodes : "http://${node.address}:${local.fabio.ui_port}/" if node.role == "edge"]
  }
}

output "nodes" {
  description = "By host name: role, pool, zone, and private and public address of each node."
  value = {
    for name, node in module.scaleway.nodes : name => merge(node, { public_address = module.scaleway.public_addresses[name] })
  }
}

output "registry_endpoint" {
  description = "The prefix of images' names in the private registry, for CLIPPER_REGISTRY."
  value       = module.scaleway.registry_endpoint
}

output "private_network_id" {
  description = "The private network: attach the machine that notebooks run on to it."
  value       = module.scaleway.private_network_id
}

output "fetch_secrets" {
  description = "By node: the shell command line that prints its secrets while the bootstrap key is valid, for renewing certificates."
  value       = module.scaleway.fetch_secrets
  sensitive   = true
}
