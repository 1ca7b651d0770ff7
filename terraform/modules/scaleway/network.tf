# All traffic between nodes goes through the private network. Each node also has a public address of its own, for what it
# fetches: packages, images and secrets. The alternative, a gateway, has two disadvantages here: an instance boots before
# it is attached to the private network, so a node without a public address starts without a network; and when the gateway
# fails, no node can fetch anything. Security groups decide about incoming traffic (security.tf).

resource "scaleway_vpc" "this" {
  name = var.name
  tags = [var.name]
}

resource "scaleway_vpc_private_network" "this" {
  name   = var.name
  vpc_id = scaleway_vpc.this.id
  tags   = [var.name]

  ipv4_subnet {
    subnet = var.private_cidr
  }
}

resource "scaleway_ipam_ip" "node" {
  for_each = local.nodes

  tags = [var.name, each.key]

  source {
    private_network_id = scaleway_vpc_private_network.this.id
  }
}

resource "scaleway_instance_ip" "node" {
  for_each = local.nodes

  type = "routed_ipv4"
  zone = each.value.zone
  tags = [var.name, each.key]
}
