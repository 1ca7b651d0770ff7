locals {
  docker_address = split("/", var.docker_bridge)[0]

  docker_config = {
    for name, pool in local.with_docker : name => merge(
      {
        # Set, so that the resolver listens where containers ask.
        bip = var.docker_bridge
        dns = [local.docker_address]
        # Containers outlive Docker's own upgrade. Nomad limits the logs of its tasks itself.
        live-restore = true
        log-driver   = "json-file"
        log-opts     = { max-size = "10m", max-file = "3" }
      },
      {
        for key, value in { runtimes = { nvidia = { path = "nvidia-container-runtime" } } } : key => value
        if pool.gpu != null
      },
    )
  }

  # Where the image brings NVIDIA's driver it brings Docker too, which need not be the distribution's.
  docker_packages = { for name, pool in local.with_docker : name => ["docker.io"] if try(pool.gpu.driver, "install") == "install" }

  docker_files = {
    for name, config in local.docker_config : name => {
      "${local.roots[name]}/etc/docker/daemon.json" = {
        content = templatefile("${path.module}/templates/json.tftpl", { object = config })
        mode    = "0644"
        owner   = "root:root"
      }
    }
  }

  # Nomad reads it, in the form of Docker's own logins, and gives Docker the one that an image's registry wants.
  docker_logins = {
    for name in keys(local.with_docker) : name => "${local.roots[name]}/etc/docker/registries.json"
    if nonsensitive(length(var.registry_logins)) > 0
  }

  docker_secret_files = {
    for name, path in local.docker_logins : name => {
      (path) = {
        content = jsonencode({
          auths = {
            for registry, login in var.registry_logins : registry => { auth = base64encode("${login.username}:${login.password}") }
          }
        })
        mode  = "0600"
        owner = "root:root"
      }
    }
  }
}
