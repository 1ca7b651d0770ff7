locals {
  docker_address = split("/", var.docker_bridge)[0]

  docker_config = {
    for name, pool in local.with_docker : name => merge(
      {
        # Fixed, so that the resolver listens at the address that containers ask.
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

  # An image with NVIDIA's driver has Docker too, perhaps not the distribution's.
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

  # Nomad reads this file, in the form of Docker's own, and gives Docker the login of an image's registry.
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
