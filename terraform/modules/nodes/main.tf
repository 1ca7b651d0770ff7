# The parts that all concerns share: the nodes by role, and the merge of all files. Each concern (consul.tf, nomad.tf, …)
# has a local of files by node and by path.
#
# A new client or edge changes no other node. A new or removed server changes the addresses that all join. Running nodes
# do not need these: Consul and Nomad exchange the servers' addresses. User data is read on the first boot alone, so a
# change of it reaches a machine only when it is replaced: one node after another, a client after `nomad node drain
# -enable`, a server when the others are a majority without it. Before the number of servers shrinks, run `consul leave`
# and `nomad server force-leave` for the one that goes, so that the rest keeps a majority.
locals {
  servers = { for name, node in var.nodes : name => node if node.role == "server" }
  edges   = { for name, node in var.nodes : name => node if node.role == "edge" }
  # A client with an unknown pool is reported by checks.tf, not by an error in the middle of an expression.
  clients = { for name, node in var.nodes : name => node if node.role == "client" && try(contains(keys(var.pools), node.pool), false) }

  client_pools = { for name, node in local.clients : name => var.pools[node.pool] }
  with_docker  = { for name, pool in local.client_pools : name => pool if contains(pool.drivers, "docker") }
  with_gpu     = { for name, pool in local.client_pools : name => pool if pool.gpu != null }

  server_addresses = [for node in local.servers : node.address]

  # The prefix of paths: empty for a root of /.
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

  # Consul first: Nomad and Fabio look for it when they start, or jobs with services would wait.
  units = {
    for name, node in var.nodes : name =>
    { server = ["consul", "nomad"], client = ["consul", "nomad"], edge = ["consul", "fabio"] }[node.role]
  }
}
