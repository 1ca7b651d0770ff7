# A node that runs is never stopped or made anew by an apply alone, whatever changed of what it was made from: type, image,
# volume, user data. It is replaced when somebody says so, one node at a time; it then keeps its name, its addresses, its
# certificate and its tokens.
#
# User data can be read on the node from the metadata service. That answers only to source ports below 1024, so to root
# and to containers that run as root. What protects the cluster from those is what the user data holds: no secret but the
# bootstrap key, which can only read secrets, and has expired by the time that jobs run (secrets.tf).

resource "scaleway_instance_placement_group" "this" {
  for_each = { for node in local.nodes : node.placement => node.zone... }

  name        = each.key
  zone        = each.value[0]
  policy_type = "max_availability"
  policy_mode = "optional" # a node close to another is better than none
  tags        = [var.name]
}

locals {
  security_groups = {
    server = scaleway_instance_security_group.server
    other  = scaleway_instance_security_group.other
  }
}

resource "scaleway_instance_server" "node" {
  for_each = local.nodes

  name               = each.key
  type               = each.value.type
  image              = each.value.image
  zone               = each.value.zone
  ip_ids             = [scaleway_instance_ip.node[each.key].id]
  security_group_id  = local.security_groups[each.value.role == "server" ? "server" : "other"][each.value.zone].id
  placement_group_id = scaleway_instance_placement_group.this[each.value.placement].id
  user_data          = { cloud-init = var.user_data[each.key] }
  tags               = compact([var.name, each.value.role, each.value.pool])

  root_volume {
    size_in_gb            = each.value.volume_gb
    volume_type           = "sbs_volume"
    delete_on_termination = true
  }

  lifecycle {
    ignore_changes = [type, image, root_volume, user_data, placement_group_id]
  }

  # A node fetches its secrets as it boots, with the right to do so, and takes the project's keys.
  depends_on = [scaleway_secret_version.node, scaleway_iam_policy.bootstrap, scaleway_iam_ssh_key.admin]
}

# The provider attaches it after the instance has started: the node's services wait for their address.
resource "scaleway_instance_private_nic" "node" {
  for_each = local.nodes

  server_id          = scaleway_instance_server.node[each.key].id
  private_network_id = scaleway_vpc_private_network.this.id
  ipam_ip_ids        = [scaleway_ipam_ip.node[each.key].id]
  zone               = each.value.zone
  tags               = [var.name]
}
