# Gossip keys, and the secrets of tokens. The secrets are chosen here, so that nodes start with them; they get their
# rights in Consul and Nomad when access/ is applied.
#
# To change one: `-replace` its resource, apply, replace the nodes that hold it, and apply access/ again. A gossip key is
# changed on all nodes at once, or with `consul keyring` and `nomad operator gossip keyring` first.

resource "random_bytes" "gossip_key" {
  for_each = toset(["consul", "nomad"])

  length = 32
}

resource "random_uuid" "token" {
  for_each = toset(["consul-management", "consul-nomad-server", "consul-nomad-client", "consul-fabio", "nomad-bootstrap"])
}

resource "random_uuid" "consul_agent_token" {
  for_each = var.nodes
}
