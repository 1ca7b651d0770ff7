# cloud-init's user data: packages, files, and the start of all services on the first boot. Reboots do not need it.
locals {
  # Only nodes with the root / boot with user data.
  booted = { for name, node in var.nodes : name => node if local.roots[name] == "" }

  pinned_packages = {
    for name, node in local.booted : name => concat(
      [["consul", var.versions.consul]],
      [for package in [["nomad", var.versions.nomad]] : package if contains(keys(local.nomad_nodes), name)],
      try(local.gpu_pinned_packages[name], []),
    )
  }

  packages = {
    for name in keys(local.booted) : name => concat(
      ["ca-certificates", "curl", "python3"],
      try(local.docker_packages[name], []),
      try(local.gpu_packages[name], []),
      local.pinned_packages[name],
    )
  }

  apt_sources = {
    for name in keys(local.booted) : name => merge(
      {
        "hashicorp.list" = {
          source = "deb [signed-by=$KEY_FILE] https://apt.releases.hashicorp.com $RELEASE main"
          keyid  = "798AEC654E5C15428C8E42EEAA16FCBCA621E701"
        }
      },
      try(local.gpu_apt_sources[name], {}),
    )
  }

  start_files = {
    for name, node in local.booted : name => merge(
      {
        "/usr/local/sbin/clipper-nomad-start" = { content = file("${path.module}/scripts/start.sh"), mode = "0755", owner = "root:root" }
        "/usr/local/lib/clipper-nomad/put-files.py" = {
          content = file("${path.module}/scripts/put-files.py")
          mode    = "0755"
          owner   = "root:root"
        }
        "/etc/apt/preferences.d/clipper-nomad" = {
          content = templatefile("${path.module}/templates/apt-preferences.tftpl", { packages = local.pinned_packages[name] })
          mode    = "0644"
          owner   = "root:root"
        }
        "/etc/clipper-nomad/node.env" = {
          content = templatefile("${path.module}/templates/node.env.tftpl", {
            units  = local.units[name]
            docker = contains(keys(local.with_docker), name)
            gpu    = contains(keys(local.with_gpu), name)
            fabio  = node.role == "edge" ? var.fabio : null
          })
          mode  = "0644"
          owner = "root:root"
        }
      },
      {
        for path in ["/etc/clipper-nomad/fetch-secrets"] : path => {
          content = "#!/bin/sh\nset -eu\n${try(var.fetch_secrets[name], "")}\n"
          # It may have the key of a secret store.
          mode  = "0700"
          owner = "root:root"
        } if contains(local.fetching, name)
      },
    )
  }

  cloud_config = {
    for name in keys(local.booted) : name => merge(
      {
        hostname          = name
        preserve_hostname = false
        manage_etc_hosts  = "localhost"
        apt               = { sources = local.apt_sources[name] }
        package_update    = true
        packages          = local.packages[name]
        # Before the packages are installed: they leave existing configuration alone.
        write_files = [
          for path, file in merge(local.files[name], local.start_files[name]) :
          { path = path, content = file.content, permissions = file.mode, owner = file.owner }
        ]
        runcmd = [["/usr/local/sbin/clipper-nomad-start"]]
      },
      try(local.gpu_cloud_config[name], {}),
    )
  }

  user_data = {
    for name, config in local.cloud_config : name =>
    "#cloud-config\n# The node ${name} of the cluster ${var.name}.\n${yamlencode(config)}"
  }
}
