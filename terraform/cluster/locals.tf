locals {
  zones = length(var.zones) > 0 ? var.zones : [for number in [1, 2, 3] : "${var.region}-${number}"]

  # tcp_port is the first of those that modules/nodes gives Fabio: that of Clipper's default cluster.
  fabio = { http_port = 9999, tcp_port = 7000, ui_port = 9998 }

  # A pool's instances, and what Nomad is told of them. Scaleway's image for GPUs brings NVIDIA's driver, Docker and the
  # container toolkit; into another image they are installed.
  instance_pools = {
    for name, pool in var.pools : name => {
      count     = pool.count
      type      = pool.type
      image     = coalesce(pool.image, pool.gpu ? var.gpu_image : "ubuntu_noble")
      volume_gb = pool.volume_gb
      zones     = pool.zones
    }
  }

  node_pools = {
    for name, pool in var.pools : name => {
      node_class   = pool.node_class
      node_pool    = pool.node_pool
      drivers      = pool.drivers
      host_volumes = pool.host_volumes
      meta         = pool.meta
      gpu          = pool.gpu ? { driver = pool.image == null ? "present" : "install" } : null
    }
  }

  # Where the servers are reached: from outside if anybody may, else within the private network alone.
  first_server   = sort([for name, node in module.scaleway.nodes : name if node.role == "server"])[0]
  public_address = module.scaleway.public_addresses[local.first_server]
  server_address = length(var.admin_cidrs) > 0 ? local.public_address : module.scaleway.nodes[local.first_server].address

  problems = concat(
    [
      for zone in distinct(concat(local.zones, flatten([for pool in var.pools : pool.zones]))) :
      "The zone ${zone} is not in the region ${var.region}."
      if !startswith(zone, "${var.region}-")
    ],
    var.redis_volume == null || var.redis_volume == "dynamic" ? [] : [
      for volume in [var.redis_volume] :
      "redis_volume is ${volume}, which no pool has among its host_volumes."
      if !contains(flatten([for pool in var.pools : pool.host_volumes]), volume)
    ],
    var.dns_zone == null ? [] : [
      for zone in [var.dns_zone] :
      "dns_zone is ${zone}, to which the domain ${coalesce(var.domain, "(none)")} does not belong."
      if !endswith(".${coalesce(var.domain, "-")}", ".${zone}")
    ],
  )
}
