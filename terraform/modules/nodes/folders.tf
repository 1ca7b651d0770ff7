# Folders, made at each boot, and by `systemd-tmpfiles --create FILE`. Packages make those of the agents, but only under
# the root /.
locals {
  folder_files = {
    for name, root in local.roots : name => {
      "${root}/etc/tmpfiles.d/clipper-nomad.conf" = {
        content = templatefile("${path.module}/templates/tmpfiles.conf.tftpl", {
          root    = root
          role    = var.nodes[name].role
          volumes = [for volume in values(try(local.host_volumes[name], {})) : volume.path]
          gpu     = contains(keys(local.with_gpu), name)
        })
        mode  = "0644"
        owner = "root:root"
      }
    }
  }
}
