# Who may do what on a cluster whose nodes run: applied once Consul and Nomad answer, and again when nodes change.
# Which rights there are is in policies/, one file each; consul.tf and nomad.tf say who gets which.

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
