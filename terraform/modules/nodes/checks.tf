# Checks across variables. The precondition of the output `files` reports all problems at once.
locals {
  # Names of nodes are not secret, though they are keys of secret variables.
  certified = nonsensitive(keys(var.material.certificates))
  known     = nonsensitive(keys(var.material.consul_agent_tokens))
  fetching  = nonsensitive(keys(var.fetch_secrets))

  bridge = try(cidrsubnet(var.docker_bridge, 0, 0), null)

  problems = concat(
    [
      for name, node in var.nodes :
      "The pool ${jsonencode(node.pool)} of the node ${name} is not in `pools`, which has: ${join(", ", keys(var.pools))}."
      if node.role == "client" && !contains(keys(local.clients), name)
    ],
    [
      for name in keys(var.nodes) :
      "`material.certificates` has no certificate for the node ${name}."
      if !contains(local.certified, name)
    ],
    [
      for name in keys(var.nodes) :
      "`material.consul_agent_tokens` has no token for the node ${name}."
      if !contains(local.known, name)
    ],
    [
      for name in local.fetching :
      "`fetch_secrets` has a command for ${name}, which is not a node with the root /, so it has no user data."
      if try(local.roots[name], "-") != ""
    ],
    [
      for name, node in var.nodes :
      "The address ${node.address} of the node ${name} is within `docker_bridge`, ${var.docker_bridge}: containers could not reach it."
      if try(cidrsubnet("${node.address}/${split("/", var.docker_bridge)[1]}", 0, 0) == local.bridge, false)
    ],
  )
}
