# What every concern shares: who is what, and how all of their files meet. Each concern (consul.tf, nomad.tf, …) has a
# local of files by node and by path.
#
# A client or an edge that is added changes no other node. A server that is added or gone changes the addresses that all
# join, which those that run already do not need: Consul and Nomad tell each other of servers. What changes user data
# reaches a machine only when it is made anew, since it is read on the first boot alone: one node after another, a client
# after `nomad node drain -enable`, a server when the others are a majority without it. Before the number of servers
# shrinks, `consul leave` and `nomad server force-leave` on the one that goes keep the rest a majority.
locals {
  servers = { for name, node in var.nodes : name => node if node.role == "server" }
  edges   = { for name, node in var.nodes : name => node if node.role == "edge" }
  # One whose pool is not there is a problem of checks.tf, not an error in the middle of an expression.
  clients = { for name, node in var.nodes : name => node if node.role == "client" && try(contains(keys(var.pools), node.pool), false) }

  client_pools = { for name, node in local.clients : name => var.pools[node.pool] }
  with_docker  = { for name, pool in local.client_pools : name => pool if contains(pool.drivers, "docker") }
  with_gpu     = { for name, pool in local.client_pools : name => pool if pool.gpu != null }

  server_addresses = [for node in local.servers : node.address]

  # What paths begin with: nothing, for a root of /.
  roots = { for name, node in var.nodes : name => trimsuffix(node.root, "/") }

  files = {
    for name in keys(var.nodes) : name => merge(
      local.consul_files[name],
      local.resolver_files[name],
      local.folder_files[name],
      try(local.nomad_files[name], {}),
      try(local.docker_files[name], {}),
      try(local.fabio_files[name], {}),
    )
  }

  secret_files = {
    for name in keys(var.nodes) : name => merge(
      local.tls_files[name],
      local.consul_secret_files[name],
      try(local.nomad_secret_files[name], {}),
      try(local.docker_secret_files[name], {}),
      try(local.fabio_secret_files[name], {}),
    )
  }

  # Nomad finds Consul there when it starts, or jobs with services wait for it; so does Fabio.
  units = {
    for name, node in var.nodes : name =>
    { server = ["consul", "nomad"], client = ["consul", "nomad"], edge = ["consul", "fabio"] }[node.role]
  }
}
