# Fabio, the entrance. It asks its node's Consul agent, whose configuration registers it as the service `fabio`.
locals {
  fabio_listeners = concat(
    [":${var.fabio.http_port};proto=http"],
    [for port in var.fabio.tcp_ports : ":${port};proto=tcp"],
  )

  # In the secret file, because the registration has a token.
  fabio_service = {
    for name, node in local.edges : name => {
      id      = "fabio"
      name    = "fabio"
      address = node.address
      port    = var.fabio.http_port
      token   = var.material.consul_fabio_token
      checks = [
        { name = "Fabio's health", http = "http://${node.address}:${var.fabio.ui_port}/health", interval = "2s", timeout = "2s" }
      ]
    }
  }

  fabio_files = {
    for name, node in local.edges : name => {
      "${local.roots[name]}/etc/fabio/fabio.properties" = {
        content = templatefile("${path.module}/templates/fabio.properties.tftpl", {
          listeners = join(",", local.fabio_listeners)
          ui        = "${node.address}:${var.fabio.ui_port}"
        })
        mode  = "0644"
        owner = "root:root"
      }
      "${local.roots[name]}/etc/systemd/system/fabio.service" = {
        content = templatefile("${path.module}/templates/fabio.service.tftpl", { root = local.roots[name] })
        mode    = "0644"
        owner   = "root:root"
      }
    }
  }

  fabio_secret_files = {
    for name, node in local.edges : name => {
      # Only systemd reads it, as root.
      "${local.roots[name]}/etc/fabio/secrets.env" = {
        content = "FABIO_REGISTRY_CONSUL_TOKEN=${var.material.consul_fabio_token}\n"
        mode    = "0600"
        owner   = "root:root"
      }
    }
  }
}
