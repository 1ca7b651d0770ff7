locals {
  zones = length(var.zones) > 0 ? var.zones : [for number in [1, 2, 3] : "${var.region}-${number}"]

  # tcp_port is the first of Fabio's ports in modules/nodes, which Clipper's default cluster uses.
  fabio = { http_port = 9999, tcp_port = 7000, ui_port = 9998 }

  # The pools' instances, and their settings for Nomad. Scaleway's image for GPUs has NVIDIA's driver, Docker and the
  # container toolkit; on another image they are installed.
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

  # The servers' addresses: the public ones if admin_cidrs has any range, else the private ones.
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
