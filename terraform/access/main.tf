# The rights on a cluster whose nodes run. Apply this once Consul and Nomad answer, and again when nodes change.
# The policies are files in policies/; consul.tf and nomad.tf give them to tokens.

locals {
  consul = {
    address     = var.consul_address
    server_name = var.consul_tls_server_name
    ca_pem      = var.ca_pem
    wait_s      = var.wait_s
  }
  nomad = {
    address     = var.nomad_address
    server_name = var.nomad_tls_server_name
    ca_pem      = var.ca_pem
    wait_s      = var.wait_s
  }
}
