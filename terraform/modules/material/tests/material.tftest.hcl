mock_provider "tls" {
  mock_resource "tls_self_signed_cert" {
    defaults = { cert_pem = "the authority's certificate" }
  }
  mock_resource "tls_locally_signed_cert" {
    defaults = { cert_pem = "a node's certificate" }
  }
  mock_resource "tls_private_key" {
    defaults = { private_key_pem = "a private key" }
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
  region     = "global"
  datacenter = "dc1"
  nodes = {
    s1 = { address = "10.0.0.11", role = "server" }
    c1 = { address = "10.0.0.21", role = "client" }
    e1 = { address = "10.0.0.31", role = "edge" }
  }
}

run "certificates_are_for_what_a_node_is" {
  assert {
    condition = join(" ", tls_cert_request.node["s1"].dns_names) == "server.global.nomad server.dc1.consul localhost"
    # A client's certificate for server.… would let it pass for a server.
    error_message = "A server's certificate is for server.REGION.nomad, server.DATACENTER.consul and localhost, not ${jsonencode(tls_cert_request.node["s1"].dns_names)}."
  }

  assert {
    condition = alltrue([
      for name in ["c1", "e1"] : join(" ", tls_cert_request.node[name].dns_names) == "client.global.nomad client.dc1.consul localhost"
    ])
    error_message = "Clients' and edge nodes' certificates are for client.…, never for server.…."
  }

  assert {
    condition     = join(" ", tls_cert_request.node["c1"].ip_addresses) == "127.0.0.1 10.0.0.21"
    error_message = "A certificate is for 127.0.0.1 and for the node's address."
  }

  assert {
    condition     = tls_self_signed_cert.ca.is_ca_certificate && contains(tls_self_signed_cert.ca.allowed_uses, "cert_signing")
    error_message = "The authority may sign certificates."
  }

  assert {
    condition     = alltrue([for use in ["server_auth", "client_auth"] : contains(tls_locally_signed_cert.node["s1"].allowed_uses, use)])
    error_message = "An agent calls and is called with the one certificate."
  }
}

run "material_has_the_form_that_nodes_takes" {
  assert {
    condition = join(" ", nonsensitive(keys(output.material))) == join(" ", [
      "ca_pem", "certificates", "consul_agent_tokens", "consul_fabio_token", "consul_gossip_key",
      "consul_management_token", "consul_nomad_client_token", "consul_nomad_server_token", "nomad_gossip_key",
    ])
    error_message = "The material has other parts than modules/nodes' variable: ${join(", ", nonsensitive(keys(output.material)))}."
  }

  assert {
    condition     = join(" ", nonsensitive(concat(keys(output.material.certificates), keys(output.material.consul_agent_tokens)))) == "c1 e1 s1 c1 e1 s1"
    error_message = "Each node has a certificate and a token."
  }

  assert {
    condition     = alltrue([for key in random_bytes.gossip_key : key.length == 32])
    error_message = "Gossip keys have 32 bytes."
  }
}

run "a_role_that_is_none_is_refused" {
  command = plan

  variables {
    nodes = { s1 = { address = "10.0.0.11", role = "sever" } }
  }

  expect_failures = [var.nodes]
}

run "renewal_before_the_beginning_is_refused" {
  command = plan

  variables {
    certificate_validity_hours = 100
    certificate_renewal_hours  = 100
  }

  expect_failures = [tls_locally_signed_cert.node]
}

run "a_certificate_outliving_its_authority_is_refused" {
  command = plan

  variables {
    ca_validity_hours          = 100
    certificate_validity_hours = 200
    certificate_renewal_hours  = 10
  }

  expect_failures = [tls_locally_signed_cert.node]
}
