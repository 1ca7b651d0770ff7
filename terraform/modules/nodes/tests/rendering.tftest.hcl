# What is rendered, as far as no program need read it. tests/system has the programs read the rest.

run "paths" {
  assert {
    condition = alltrue(flatten([
      for name, node in var.nodes : [
        for path in concat(keys(output.files[name]), keys(nonsensitive(output.secret_files)[name])) :
        startswith(path, "${trimsuffix(node.root, "/")}/etc/") && !strcontains(path, "//")
      ]
    ]))
    error_message = "A file lies elsewhere than in etc/ of its node's root."
  }

  assert {
    condition     = length(regexall("[^1]/(etc|opt)/", replace(jsonencode(output.files["gpu-1"]), "/usr/", ""))) == 0
    error_message = "A node has paths that do not begin with its root."
  }
}

run "who_has_what" {
  assert {
    condition = output.units == {
      server-1 = ["consul", "nomad"]
      server-2 = ["consul", "nomad"]
      server-3 = ["consul", "nomad"]
      cpu-1    = ["consul", "nomad"]
      gpu-1    = ["consul", "nomad"]
      edge-1   = ["consul", "fabio"]
    }
    error_message = "The units are: ${jsonencode(output.units)}"
  }

  assert {
    condition     = alltrue([for name, units in output.units : alltrue([for unit in units : anytrue([for path in keys(output.files[name]) : endswith(path, "/${unit}.service")])])])
    error_message = "A unit has no file."
  }

  assert {
    condition     = toset(keys(nonsensitive(output.user_data))) == toset(["server-1", "server-2", "server-3", "cpu-1", "edge-1"])
    error_message = "There is user data for the nodes whose root is /, and for no other."
  }

  assert {
    condition     = [for name in keys(var.nodes) : name if contains(keys(output.files[name]), "${local.roots[name]}/etc/docker/daemon.json")] == ["cpu-1", "gpu-1"]
    error_message = "Docker is for the clients alone."
  }
}

run "who_knows_what" {
  assert {
    condition     = [for name, bundle in nonsensitive(output.secret_bundles) : name if strcontains(bundle, var.material.consul_management_token)] == ["server-1", "server-2", "server-3"]
    error_message = "Only servers know Consul's management token."
  }

  assert {
    condition     = [for name, bundle in nonsensitive(output.secret_bundles) : name if strcontains(bundle, var.material.nomad_gossip_key)] == ["server-1", "server-2", "server-3"]
    error_message = "Only servers know the key of Nomad's gossip."
  }

  assert {
    condition     = [for name, bundle in nonsensitive(output.secret_bundles) : name if strcontains(bundle, var.material.consul_fabio_token)] == ["edge-1"]
    error_message = "Only edges know Fabio's token."
  }

  assert {
    condition = alltrue([
      for name, bundle in nonsensitive(output.secret_bundles) : alltrue([
        for other, token in var.material.consul_agent_tokens : strcontains(bundle, token) == (name == other)
      ])
    ])
    error_message = "Each node knows the token of its own agent, and no other's."
  }
}

run "drivers_and_devices" {
  assert {
    condition     = jsondecode(output.files["cpu-1"]["/etc/nomad.d/nomad.json"].content).client.options["driver.allowlist"] == "docker,exec,raw_exec"
    error_message = "The pool cpu has three drivers."
  }

  assert {
    condition     = flatten([for plugin in jsondecode(output.files["gpu-1"]["/srv/gpu-1/etc/nomad.d/nomad.json"].content).plugin : keys(plugin)]) == ["docker", "nomad-device-nvidia"]
    error_message = "The pool gpu has Docker and GPUs, and not raw_exec."
  }

  assert {
    condition     = jsondecode(output.files["cpu-1"]["/etc/nomad.d/nomad.json"].content).client.host_volume.redis.path == "/opt/nomad/volumes/redis"
    error_message = "The pool cpu has a host volume."
  }

  assert {
    condition     = strcontains(output.files["cpu-1"]["/etc/tmpfiles.d/clipper-nomad.conf"].content, "d /opt/nomad/volumes/redis ")
    error_message = "The host volume has no folder."
  }

  assert {
    condition = jsondecode(output.files["cpu-1"]["/etc/nomad.d/nomad.json"].content).client.meta == {
      cluster = "tests", disk = "fast", zone = "a"
    }
    error_message = "A client tells of its cluster, its zone and what its pool says."
  }
}

run "servers_join_the_others" {
  assert {
    condition     = jsondecode(output.files["server-2"]["/etc/consul.d/consul.json"].content).retry_join == ["10.0.0.11", "10.0.0.13"]
    error_message = "A server joins the other servers."
  }

  assert {
    condition     = jsondecode(output.files["server-2"]["/etc/nomad.d/nomad.json"].content).server.server_join.retry_join == ["10.0.0.11", "10.0.0.13"]
    error_message = "A server of Nomad joins the other servers."
  }
}

run "a_server_alone" {
  variables {
    nodes         = { server-1 = { address = "10.0.0.11", role = "server" } }
    fetch_secrets = {}
  }

  # There is nobody whom it could join, so that it would never be ready.
  assert {
    condition     = strcontains(output.files["server-1"]["/etc/systemd/system/consul.service"].content, "Type=exec")
    error_message = "The unit of a lone server waits for others."
  }
}

run "an_image_with_gpu_driver" {
  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server" }
      gpu-1    = { address = "10.0.0.31", role = "client", pool = "gpu" }
    }
    pools         = { gpu = { gpu = { driver = "present" } } }
    fetch_secrets = {}
  }

  assert {
    condition     = [for package in yamldecode(nonsensitive(output.user_data)["gpu-1"]).packages : try(package[0], package)] == ["ca-certificates", "curl", "python3", "consul", "nomad", "nomad-device-nvidia"]
    error_message = "Where the image brings driver, toolkit and Docker, they are not installed."
  }
}
