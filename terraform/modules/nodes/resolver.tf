# systemd-resolved asks the node's Consul agent for *.consul, and its former servers for the rest. Containers do not reach
# the node's loopback: they ask it on the address of Docker's bridge.
locals {
  resolver_files = {
    for name, root in local.roots : name => {
      "${root}/etc/systemd/resolved.conf.d/consul.conf" = {
        content = templatefile("${path.module}/templates/resolved.conf.tftpl", {
          listener = contains(keys(local.with_docker), name) ? local.docker_address : null
        })
        mode  = "0644"
        owner = "root:root"
      }
    }
  }
}
