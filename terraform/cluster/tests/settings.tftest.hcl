# What follows from settings, and which settings are refused.

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

run "nodes_are_in_the_regions_three_zones" {
  command = plan

  assert {
    condition     = join(" ", local.zones) == "fr-par-1 fr-par-2 fr-par-3"
    error_message = "Where no zones are named, nodes are spread over the region's three."
  }

  assert {
    condition     = output.query_url == "http://fabio.service.consul:9999/clipper/"
    error_message = "Without a domain, applications are asked within the private network."
  }
}

run "pools_with_gpus" {
  command = plan

  variables {
    domain = "models.example.com"
    pools = {
      gpu     = { count = 1, type = "L4-1-24G", zones = ["fr-par-2"], gpu = true }
      own-gpu = { count = 1, type = "L4-1-24G", gpu = true, image = "ubuntu_noble" }
      cpu     = { count = 1, type = "PRO2-XS" }
    }
  }

  assert {
    condition     = join(" ", [for name in ["gpu", "own-gpu", "cpu"] : local.instance_pools[name].image]) == "ubuntu_noble_gpu_os_13_nvidia ubuntu_noble ubuntu_noble"
    error_message = "GPUs have Scaleway's image for them, unless the pool has one of its own."
  }

  assert {
    condition     = local.node_pools["gpu"].gpu.driver == "present" && local.node_pools["own-gpu"].gpu.driver == "install" && local.node_pools["cpu"].gpu == null
    error_message = "The driver is installed where the image does not bring it."
  }

  assert {
    condition     = output.query_url == "https://models.example.com/clipper/"
    error_message = "With a domain, applications are asked there."
  }
}

run "bad_values_are_refused" {
  command = plan

  variables {
    name                  = "Clipper_1"
    region                = "paris"
    private_cidr          = "10.64.0.7/22"
    servers               = { volume_gb = 5 }
    edge                  = { count = 0 }
    admin_cidrs           = ["0.0.0.0/0"]
    ssh_keys              = { anna = "~/.ssh/id_ed25519.pub" }
    domain                = "https://models.example.com"
    public_paths          = ["/"]
    bootstrap_key_minutes = 100000
    pools                 = { server = { count = 1, type = "PRO2-XS" } }
  }

  expect_failures = [
    var.name, var.region, var.private_cidr, var.servers, var.edge, var.admin_cidrs, var.ssh_keys, var.domain, var.public_paths,
    var.bootstrap_key_minutes, var.pools,
  ]
}

run "a_zone_of_another_region_is_refused" {
  command = plan

  variables {
    zones = ["nl-ams-1"]
  }

  expect_failures = [output.access]
}

run "a_volume_that_no_pool_has_is_refused" {
  command = plan

  variables {
    redis_volume = "redis"
  }

  expect_failures = [output.access]
}

run "a_domain_outside_of_the_zone_is_refused" {
  command = plan

  variables {
    domain   = "models.example.com"
    dns_zone = "example.org"
  }

  expect_failures = [output.access]
}

run "a_zone_of_dns_without_a_domain_is_refused" {
  command = plan

  variables {
    dns_zone = "example.org"
  }

  expect_failures = [output.access]
}

run "a_domain_that_is_its_zone" {
  command = plan

  variables {
    domain   = "example.org"
    dns_zone = "example.org"
  }

  assert {
    condition     = length(local.problems) == 0
    error_message = "A domain may be the whole zone: ${join(" ", local.problems)}"
  }
}
