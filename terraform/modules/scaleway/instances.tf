# An apply alone never stops or replaces a running node, whatever has changed: type, image, volume, user data. Somebody
# replaces it explicitly, one node at a time; it then keeps its name, its addresses, its certificate and its tokens.
#
# User data can be read on the node from the metadata service, which answers only to source ports below 1024: to root and
# to containers that run as root. So the user data holds no secret but the bootstrap key, which can only read secrets, and
# has expired by the time that jobs run (secrets.tf).

resource "scaleway_instance_placement_group" "this" {
  for_each = { for node in local.nodes : node.placement => node.zone... }

  name        = each.key
  zone        = each.value[0]
  policy_type = "max_availability"
  policy_mode = "optional" # two nodes close to each other are better than a missing one
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

  # A node needs the right to fetch its secrets, and the project's keys, when it boots.
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
