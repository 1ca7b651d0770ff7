# The list of nodes: groups (the servers, the edge, each pool) and their nodes, over zones in turn. Addresses are reserved
# by themselves, so that configurations and certificates can name them before any instance exists.

locals {
  groups = merge(
    {
      server = merge(var.servers, { role = "server", pool = null, count = 3, zones = var.zones })
      edge   = merge(var.edge, { role = "edge", pool = null, zones = var.zones })
    },
    {
      for name, pool in var.pools : name => merge(pool, {
        role  = "client"
        pool  = name
        zones = length(pool.zones) > 0 ? pool.zones : var.zones
      })
    },
  )

  nodes = merge([
    for group_name, group in local.groups : {
      for index in range(group.count) : "${var.name}-${group_name}-${index + 1}" => {
        role      = group.role
        pool      = group.pool
        type      = group.type
        image     = group.image
        volume_gb = group.volume_gb
        zone      = group.zones[index % length(group.zones)]
        # A placement group has at most 20 instances of one zone.
        placement = join("-", [
          var.name,
          group_name,
          group.zones[index % length(group.zones)],
          floor(index / length(group.zones) / 20) + 1,
        ])
      }
    }
  ]...)

  addresses = { for name, ip in scaleway_ipam_ip.node : name => ip.address }
}
