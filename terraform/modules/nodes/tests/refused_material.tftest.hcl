# Material that is refused: each run breaks one rule.

variables {
  nodes = { server-1 = { address = "10.0.0.11", role = "server" } }
  material = {
    ca_pem                    = "-----BEGIN CERTIFICATE-----"
    certificates              = { server-1 = { certificate_pem = "-----BEGIN CERTIFICATE-----", private_key_pem = "-----BEGIN PRIVATE KEY-----" } }
    consul_gossip_key         = "Y29uc3VsY29uc3VsY29uc3VsY29uc3VsY29uc3VsY28="
    nomad_gossip_key          = "bm9tYWRub21hZG5vbWFkbm9tYWRub21hZG5vbWFkbm8="
    consul_management_token   = "00000000-0000-4000-8000-000000000000"
    consul_agent_tokens       = { server-1 = "00000000-0000-4000-8000-000000000011" }
    consul_nomad_server_token = "00000000-0000-4000-8000-000000000001"
    consul_nomad_client_token = "00000000-0000-4000-8000-000000000002"
    consul_fabio_token        = "00000000-0000-4000-8000-000000000003"
  }
}

run "an_authority_that_is_a_files_name" {
  command = plan

  variables {
    material = merge(var.material, { ca_pem = "ca.pem" })
  }

  expect_failures = [var.material]
}

run "a_certificate_that_is_a_files_name" {
  command = plan

  variables {
    material = merge(var.material, { certificates = { server-1 = { certificate_pem = "server-1.pem", private_key_pem = "-----BEGIN PRIVATE KEY-----" } } })
  }

  expect_failures = [var.material]
}

run "a_key_with_a_passphrase" {
  command = plan

  variables {
    material = merge(var.material, { certificates = { server-1 = { certificate_pem = "-----BEGIN CERTIFICATE-----", private_key_pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----" } } })
  }

  expect_failures = [var.material]
}

run "a_gossip_key_of_16_bytes" {
  command = plan

  variables {
    material = merge(var.material, { consul_gossip_key = "Y29uc3VsY29uc3VsY28=" })
  }

  expect_failures = [var.material]
}

run "a_gossip_key_that_is_no_base64" {
  command = plan

  variables {
    material = merge(var.material, { nomad_gossip_key = "-------------------------------------------=" })
  }

  expect_failures = [var.material]
}

run "an_agent_token_that_is_no_uuid" {
  command = plan

  variables {
    material = merge(var.material, { consul_agent_tokens = { server-1 = "secret" } })
  }

  expect_failures = [var.material]
}

run "a_management_token_in_capitals" {
  command = plan

  variables {
    material = merge(var.material, { consul_management_token = "0000000A-0000-4000-8000-000000000000" })
  }

  expect_failures = [var.material]
}

run "a_token_of_nomads_that_is_empty" {
  command = plan

  variables {
    material = merge(var.material, { consul_nomad_client_token = "" })
  }

  expect_failures = [var.material]
}

run "a_fabio_token_that_is_no_uuid" {
  command = plan

  variables {
    material = merge(var.material, { consul_fabio_token = "none" })
  }

  expect_failures = [var.material]
}

run "a_registry_that_is_an_address" {
  command = plan

  variables {
    registry_logins = { "https://registry.example" = { username = "puller", password = "secret" } }
  }

  expect_failures = [var.registry_logins]
}
