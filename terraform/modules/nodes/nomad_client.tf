locals {
  nomad_client_config = {
    for name, node in local.clients : name => merge(
      {
        addresses = { http = "127.0.0.1 ${node.address}" }
        client = merge(
          {
            enabled    = true
            servers    = [for address in local.server_addresses : "${address}:4647"]
            node_class = coalesce(local.client_pools[name].node_class, node.pool)
            node_pool  = local.client_pools[name].node_pool
            meta = merge(
              local.client_pools[name].meta,
              { for key, value in { cluster = var.name, zone = node.zone } : key => value if value != null },
            )
            # The interface of the node's address, by any name: tasks' ports open there, not on a public one.
            network_interface = "{{ GetAllInterfaces | include \"address\" \"^${replace(node.address, ".", "[.]")}(/|$)\" | attr \"name\" }}"
            options           = { "driver.allowlist" = join(",", local.client_pools[name].drivers) }
            # Reserved for the agents and Docker.
            reserved = { memory = 512 }
            # Frontends and models finish their queries, for as long as their jobs allow.
            max_kill_timeout = "120s"
          },
          {
            for key, value in { host_volume = local.host_volumes[name] } : key => value if length(value) > 0
          },
        )
        plugin = [for plugin in local.nomad_plugins[name] : plugin.config if contains(local.nomad_needs[name], plugin.needed_by)]
      },
      {
        for key, value in { plugin_dir = "${local.roots[name]}/opt/nomad/plugins" } : key => value
        if local.client_pools[name].gpu != null
      },
    )
  }

  host_volumes = {
    for name, pool in local.client_pools : name => {
      for volume in pool.host_volumes : volume => { path = "${local.roots[name]}/opt/nomad/volumes/${volume}" }
    }
  }

  nomad_needs = { for name, pool in local.client_pools : name => concat(pool.drivers, [for gpu in ["gpu"] : gpu if pool.gpu != null]) }

  # exec needs no settings.
  nomad_plugins = {
    for name in keys(local.clients) : name => [
      { needed_by = "docker", config = { docker = { config = merge(local.nomad_docker, local.nomad_docker_auth[name]) } } },
      { needed_by = "raw_exec", config = { raw_exec = { config = { enabled = true } } } },
      { needed_by = "gpu", config = { nomad-device-nvidia = { config = { enabled = true } } } },
    ]
  }

  nomad_docker_auth = {
    for name in keys(local.clients) : name => {
      for path in [for node, path in local.docker_logins : path if node == name] : "auth" => { config = path }
    }
  }

  nomad_docker = {
    # Models' images are large: the image of a stopped model stays for a day, for another start. Every image comes from a
    # registry, so none is lost.
    gc           = { image = true, image_delay = "24h" }
    extra_labels = ["node_name", "job_name", "task_group_name", "task_name"]
  }
}
