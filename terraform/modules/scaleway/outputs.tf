output "nodes" {
  description = "By host name: private address, role, pool and zone of each node, in the form of modules/nodes' variable of this name."
  value = {
    for name, node in local.nodes : name => {
      address = local.addresses[name]
      role    = node.role
      pool    = node.pool
      zone    = node.zone
    }
  }
}

output "public_addresses" {
  description = "By host name: the node's public address, open to admin_cidrs."
  value       = { for name, ip in scaleway_instance_ip.node : name => ip.address }
}

output "fetch_secrets" {
  description = "By node: the shell command line that prints its secrets. It holds the bootstrap key."
  value       = local.fetch_secrets
  sensitive   = true
}

output "edge_address" {
  description = "The load balancer's public address, for the domain's A record."
  value       = scaleway_lb_ip.edge.ip_address
}

output "registry_endpoint" {
  description = "The prefix of images' names in the private registry."
  value       = scaleway_registry_namespace.this.endpoint
}

output "registry_logins" {
  description = "By registry host: the login with which nodes pull images."
  value = {
    "rg.${var.region}.scw.cloud" = { username = "nologin", password = scaleway_iam_api_key.pull.secret_key }
  }
  sensitive = true
}

output "private_network_id" {
  description = "The private network, for attaching a machine of one's own to it."
  value       = scaleway_vpc_private_network.this.id
}
