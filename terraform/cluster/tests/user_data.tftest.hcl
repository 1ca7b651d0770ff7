# What nodes are told, and what access/ is told, with addresses, certificates and tokens that have their form.

mock_provider "scaleway" {}

mock_provider "tls" {
  mock_resource "tls_self_signed_cert" {
    defaults = { cert_pem = "-----BEGIN CERTIFICATE-----\nTHE-CA\n-----END CERTIFICATE-----\n" }
  }
  mock_resource "tls_locally_signed_cert" {
    defaults = { cert_pem = "-----BEGIN CERTIFICATE-----\nA-NODE\n-----END CERTIFICATE-----\n" }
  }
  mock_resource "tls_private_key" {
    defaults = { private_key_pem = "-----BEGIN EC PRIVATE KEY-----\nA-PRIVATE-KEY\n-----END EC PRIVATE KEY-----\n" }
  }
}

mock_provider "random" {
  mock_resource "random_bytes" {
    defaults = { base64 = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" }
  }
  mock_resource "random_uuid" {
    defaults = { result = "11111111-2222-3333-4444-555555555555" }
  }
}

variables {
  pools = {
    cpu = { count = 1, type = "PRO2-XS" }
    gpu = { count = 1, type = "L4-1-24G", gpu = true }
  }
}

# Mocks give all nodes one address, which modules/nodes refuses. What the module does is tested beside it.
override_module {
  target = module.scaleway
  outputs = {
    nodes = {
      s1 = { address = "10.64.0.11", role = "server", pool = null, zone = "fr-par-1" }
      s2 = { address = "10.64.0.12", role = "server", pool = null, zone = "fr-par-2" }
      s3 = { address = "10.64.0.13", role = "server", pool = null, zone = "fr-par-3" }
      c1 = { address = "10.64.0.21", role = "client", pool = "cpu", zone = "fr-par-1" }
      g1 = { address = "10.64.0.22", role = "client", pool = "gpu", zone = "fr-par-2" }
      e1 = { address = "10.64.0.31", role = "edge", pool = null, zone = "fr-par-1" }
    }
    public_addresses   = { s1 = "198.51.100.11", s2 = "198.51.100.12", s3 = "198.51.100.13", c1 = "198.51.100.21", g1 = "198.51.100.22", e1 = "198.51.100.31" }
    fetch_secrets      = { s1 = "fetch s1", s2 = "fetch s2", s3 = "fetch s3", c1 = "fetch c1", g1 = "fetch g1", e1 = "fetch e1" }
    registry_logins    = { "rg.fr-par.scw.cloud" = { username = "nologin", password = "THE-PULL-KEY" } }
    registry_endpoint  = "rg.fr-par.scw.cloud/clipper"
    edge_address       = "198.51.100.100"
    private_network_id = "fr-par/pn"
  }
}

run "user_data_has_no_secret" {
  assert {
    condition = alltrue(flatten([
      for name, text in nonsensitive(module.nodes.user_data) : [
        for secret in ["A-PRIVATE-KEY", "THE-PULL-KEY", "11111111-2222-3333-4444-555555555555", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="] :
        !strcontains(text, secret) && !strcontains(text, base64encode(secret))
      ]
    ]))
    error_message = "No private key, token, gossip key or login is in any node's user data."
  }

  assert {
    condition     = alltrue([for name, text in nonsensitive(module.nodes.user_data) : strcontains(text, "fetch ${name}")])
    error_message = "Each node fetches its own secrets."
  }

  assert {
    condition     = alltrue([for name, bundle in nonsensitive(module.nodes.secret_bundles) : strcontains(bundle, "A-PRIVATE-KEY")])
    error_message = "Its private key is among what a node fetches."
  }
}

run "clients_pull_from_the_private_registry" {
  assert {
    condition = alltrue([
      for name, bundle in nonsensitive(module.nodes.secret_bundles) :
      strcontains(bundle, base64encode("nologin:THE-PULL-KEY")) == contains(["c1", "g1"], name)
    ])
    error_message = "Clients have the registry's login among their secrets, and nobody else has."
  }

  assert {
    condition     = strcontains(module.nodes.files["c1"]["/etc/nomad.d/nomad.json"].content, "/etc/docker/registries.json")
    error_message = "Nomad is told where the login is."
  }
}

run "gpu_nodes_offer_their_gpus" {
  assert {
    condition     = anytrue([for file in module.nodes.files["g1"] : strcontains(file.content, "nomad-device-nvidia")])
    error_message = "A node with GPUs has NVIDIA's device plugin for Nomad."
  }

  assert {
    condition     = !anytrue([for file in module.nodes.files["c1"] : strcontains(file.content, "nomad-device-nvidia")])
    error_message = "Another node does not."
  }
}

run "access_has_what_its_variables_are" {
  assert {
    condition = join(" ", nonsensitive(keys(output.access))) == join(" ", [
      "ca_pem", "consul_address", "consul_agent_tokens", "consul_fabio_token", "consul_management_token",
      "consul_nomad_client_token", "consul_nomad_server_token", "consul_tls_server_name", "datacenter", "environment", "fabio",
      "nodes", "nomad_address", "nomad_bootstrap_token", "nomad_tls_server_name", "redis_volume", "registry",
    ])
    error_message = "access/ has other variables than ${join(", ", nonsensitive(keys(output.access)))}."
  }

  assert {
    condition     = jsonencode(nonsensitive(output.access.nodes)) == jsonencode({ s1 = { role = "server" }, s2 = { role = "server" }, s3 = { role = "server" }, c1 = { role = "client" }, g1 = { role = "client" }, e1 = { role = "edge" } })
    error_message = "access/ is told all nodes and their roles."
  }
}

run "without_admin_cidrs_the_apis_are_private" {
  assert {
    condition     = nonsensitive(output.access.nomad_address) == "https://10.64.0.11:4646" && nonsensitive(output.access.consul_address) == "https://10.64.0.11:8501"
    error_message = "Nobody outside may ask, so access/ asks at the private address."
  }
}

run "with_admin_cidrs_the_apis_are_reached_from_outside" {
  variables {
    admin_cidrs = ["203.0.113.7/32"]
  }

  assert {
    condition     = nonsensitive(output.access.nomad_address) == "https://198.51.100.11:4646" && output.uis.consul == "https://198.51.100.11:8501/ui/"
    error_message = "access/ and UIs are at a server's public address."
  }
}
