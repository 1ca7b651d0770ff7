# One authority and one certificate per node. Private keys are made here, so they are in the state: encrypt it, and let
# few people read it.
#
# Renewal. An apply within `certificate_renewal_hours` of a certificate's end makes a new one, under the same authority,
# and puts it into the secret store. A running node does not look there by itself. It gets the new one when it is
# replaced, or when somebody makes it fetch and reload (the README has the commands). Until then the old one stays valid.
# Somebody must apply once in that time: nothing here does it alone.

resource "tls_private_key" "ca" {
  algorithm   = "ECDSA"
  ecdsa_curve = "P256"
}

resource "tls_self_signed_cert" "ca" {
  private_key_pem       = tls_private_key.ca.private_key_pem
  is_ca_certificate     = true
  set_subject_key_id    = true
  validity_period_hours = var.ca_validity_hours
  allowed_uses          = ["cert_signing", "crl_signing", "digital_signature"]

  subject {
    common_name = "Cluster CA ${var.region} ${var.datacenter}"
  }
}

locals {
  # The names that Nomad and Consul require of the other side: their agents on edge nodes are clients.
  tls_role = { for name, node in var.nodes : name => node.role == "server" ? "server" : "client" }
}

resource "tls_private_key" "node" {
  for_each = var.nodes

  algorithm   = "ECDSA"
  ecdsa_curve = "P256"
}

resource "tls_cert_request" "node" {
  for_each = var.nodes

  private_key_pem = tls_private_key.node[each.key].private_key_pem
  ip_addresses    = ["127.0.0.1", each.value.address]
  dns_names = [
    "${local.tls_role[each.key]}.${var.region}.nomad",
    "${local.tls_role[each.key]}.${var.datacenter}.consul",
    "localhost",
  ]

  subject {
    common_name = "${each.key}.node.${var.datacenter}.consul"
  }
}

resource "tls_locally_signed_cert" "node" {
  for_each = var.nodes

  cert_request_pem      = tls_cert_request.node[each.key].cert_request_pem
  ca_private_key_pem    = tls_private_key.ca.private_key_pem
  ca_cert_pem           = tls_self_signed_cert.ca.cert_pem
  validity_period_hours = var.certificate_validity_hours
  early_renewal_hours   = var.certificate_renewal_hours

  # Each agent is client and server, with the one certificate.
  allowed_uses = ["digital_signature", "key_encipherment", "server_auth", "client_auth"]

  lifecycle {
    precondition {
      condition     = var.certificate_renewal_hours < var.certificate_validity_hours
      error_message = "certificate_renewal_hours must be less than certificate_validity_hours, or each apply replaces all certificates."
    }

    precondition {
      condition     = var.certificate_validity_hours <= var.ca_validity_hours
      error_message = "certificate_validity_hours must not be more than ca_validity_hours: no certificate outlives its authority."
    }
  }
}
