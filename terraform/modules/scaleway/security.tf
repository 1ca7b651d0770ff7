# Security groups filter what reaches a node's public address; they do not filter the private network. They let
# in only answers to the node's own requests and, from admin_cidrs, the servers' APIs and SSH. Queries of applications
# come through the load balancer and the private network (edge.tf), so no node opens a port to the world.

locals {
  ssh_ports = length(var.ssh_keys) > 0 ? [22] : []

  # The rules of the servers, for Nomad's and Consul's HTTPS, and those of all other nodes.
  server_rules = setproduct(concat([4646, 8501], local.ssh_ports), var.admin_cidrs)
  other_rules  = setproduct(local.ssh_ports, var.admin_cidrs)
}

# A security group belongs to a zone.
resource "scaleway_instance_security_group" "server" {
  for_each = toset([for node in local.nodes : node.zone if node.role == "server"])

  name                    = "${var.name}-server-${each.key}"
  zone                    = each.key
  inbound_default_policy  = "drop"
  outbound_default_policy = "accept"
  stateful                = true
  tags                    = [var.name]

  dynamic "inbound_rule" {
    for_each = local.server_rules

    content {
      action   = "accept"
      protocol = "TCP"
      port     = inbound_rule.value[0]
      ip_range = inbound_rule.value[1]
    }
  }
}

resource "scaleway_instance_security_group" "other" {
  for_each = toset([for node in local.nodes : node.zone if node.role != "server"])

  name                    = "${var.name}-other-${each.key}"
  zone                    = each.key
  inbound_default_policy  = "drop"
  outbound_default_policy = "accept"
  stateful                = true
  tags                    = [var.name]

  dynamic "inbound_rule" {
    for_each = local.other_rules

    content {
      action   = "accept"
      protocol = "TCP"
      port     = inbound_rule.value[0]
      ip_range = inbound_rule.value[1]
    }
  }
}

resource "scaleway_iam_ssh_key" "admin" {
  for_each = var.ssh_keys

  name       = "${var.name}-${each.key}"
  public_key = each.value
}
