# What is given to whom, without asking anybody: nothing here is put anywhere.
override_module {
  target  = module.consul_policies
  outputs = { secret = null }
}

override_module {
  target  = module.consul_tokens
  outputs = { secret = null }
}

override_module {
  target  = module.consul_anonymous_token
  outputs = { secret = null }
}

override_module {
  target  = module.consul_library_token
  outputs = { secret = "consul-library" }
}

override_module {
  target  = module.nomad_bootstrap
  outputs = { secret = null }
}

override_module {
  target  = module.nomad_policies
  outputs = { secret = null }
}

override_module {
  target  = module.nomad_tokens
  outputs = { secret = "nomad-library" }
}

variables {
  nomad_address  = "https://10.0.0.11:4646"
  consul_address = "https://10.0.0.11:8501"
  ca_pem         = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
  datacenter     = "dc1"
  nodes = {
    s1   = { role = "server" }
    c1   = { role = "client" }
    edge = { role = "edge" }
  }
  fabio                     = { address = "fabio.service.consul" }
  consul_management_token   = "00000000-0000-0000-0000-000000000001"
  nomad_bootstrap_token     = "00000000-0000-0000-0000-000000000002"
  consul_nomad_server_token = "00000000-0000-0000-0000-000000000003"
  consul_nomad_client_token = "00000000-0000-0000-0000-000000000004"
  consul_fabio_token        = "00000000-0000-0000-0000-000000000005"
  consul_agent_tokens = {
    s1   = "00000000-0000-0000-0000-00000000000a"
    c1   = "00000000-0000-0000-0000-00000000000b"
    edge = "00000000-0000-0000-0000-00000000000c"
  }
}

run "environment" {
  assert {
    condition = nonsensitive(output.environment) == tomap({
      CLIPPER_MANAGER         = "nomad"
      NOMAD_ADDR              = "https://10.0.0.11:4646"
      NOMAD_TOKEN             = "nomad-library"
      CONSUL_HTTP_ADDR        = "https://10.0.0.11:8501"
      CONSUL_HTTP_TOKEN       = "consul-library"
      CLIPPER_FABIO_ADDRESS   = "fabio.service.consul"
      CLIPPER_FABIO_HTTP_PORT = "9999"
      CLIPPER_FABIO_TCP_PORT  = "7000"
    })
    error_message = "What is not given is not set."
  }
}

run "more_environment" {
  variables {
    nomad_tls_server_name  = "server.global.nomad"
    consul_tls_server_name = "server.dc1.consul"
    redis_volume           = "redis"
    registry               = "registry:5000/team"
    environment            = { CLIPPER_DRIVER = "exec", CLIPPER_FABIO_TCP_PORT = "7003" }
  }

  assert {
    condition = alltrue([
      for name, value in {
        NOMAD_TLS_SERVER_NAME  = "server.global.nomad"
        CONSUL_TLS_SERVER_NAME = "server.dc1.consul"
        CLIPPER_REDIS_VOLUME   = "redis"
        CLIPPER_REGISTRY       = "registry:5000/team"
        CLIPPER_DRIVER         = "exec"
        CLIPPER_FABIO_TCP_PORT = "7003"
      } : nonsensitive(output.environment)[name] == value
    ])
    error_message = "What is given is set, and what is given by name wins."
  }

  assert {
    condition     = strcontains(local.nomad_policies.clipper-library, "host_volume \"redis\"")
    error_message = "The library may use Redis' host volume."
  }

  assert {
    condition     = !strcontains(local.nomad_policies.clipper-library, "host-volume-create")
    error_message = "The library may make no volumes."
  }
}

run "agents" {
  assert {
    condition     = local.consul_tokens.agent-c1.NodeIdentities[0].NodeName == "c1"
    error_message = "An agent is its node."
  }

  assert {
    condition = (
      strcontains(local.consul_policies.clipper-nomad-server, "agent \"s1\"") &&
      strcontains(local.consul_policies.clipper-nomad-client, "agent \"c1\"") &&
      strcontains(local.consul_policies.clipper-fabio, "agent \"edge\"")
    )
    error_message = "Each asks the agent beside it."
  }

  assert {
    condition     = length(regexall("agent \"", join("", values(local.consul_policies)))) == 3
    error_message = "Nobody asks another one's agent."
  }

  assert {
    condition     = length(regexall("service_prefix \"clipper-\" {\n  policy = \"write\"", local.consul_policies.clipper-nomad-client)) == 1
    error_message = "Jobs register Clipper's services."
  }

  assert {
    condition     = length(regexall("service_prefix \"\" {\n  policy = \"write\"", join("", values(local.consul_policies)))) == 0
    error_message = "Jobs register no others, unless service_prefixes says so."
  }
}

run "volumes_that_nomad_makes" {
  variables {
    redis_volume = "dynamic"
  }

  assert {
    condition = (
      strcontains(local.nomad_policies.clipper-library, "host-volume-create") &&
      strcontains(local.nomad_policies.clipper-library, "host_volume \"clipper-*\"")
    )
    error_message = "The library makes volumes, and uses them."
  }
}

run "refuses_an_address_without_its_port" {
  command = plan
  variables {
    nomad_address = "10.0.0.11"
  }
  expect_failures = [var.nomad_address]
}

run "refuses_a_path" {
  command = plan
  variables {
    consul_address = "https://10.0.0.11:8501/ui"
  }
  expect_failures = [var.consul_address]
}

run "refuses_a_file_s_name" {
  command = plan
  variables {
    ca_pem = "/etc/ca.pem"
  }
  expect_failures = [var.ca_pem]
}

run "refuses_an_unknown_role" {
  command = plan
  variables {
    nodes = { s1 = { role = "master" } }
  }
  expect_failures = [var.nodes]
}

run "refuses_a_node_without_a_token" {
  command = plan
  variables {
    consul_agent_tokens = { s1 = "00000000-0000-0000-0000-00000000000a" }
  }
  expect_failures = [output.environment]
}

run "refuses_a_token_that_is_no_uuid" {
  command = plan
  variables {
    nomad_bootstrap_token   = "secret"
    consul_management_token = "0000"
    consul_fabio_token      = "00000000-0000-0000-0000-00000000000G"
  }
  expect_failures = [var.nomad_bootstrap_token, var.consul_management_token, var.consul_fabio_token]
}

run "refuses_a_variable_that_no_shell_takes" {
  command = plan
  variables {
    environment = { "A;B" = "c" }
  }
  expect_failures = [var.environment]
}
