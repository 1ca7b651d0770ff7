# For machines that exist already: `tofu apply -var-file=example.tfvars`. The root cluster/ writes the same by itself,
# as cluster.auto.tfvars.json. The tokens are those in the agents' configurations: keep a file with real ones secret.
nomad_address  = "https://10.0.0.11:4646"
consul_address = "https://10.0.0.11:8501"
datacenter     = "dc1"

# Needed if 10.0.0.11 is not in the certificates.
nomad_tls_server_name  = "server.global.nomad"
consul_tls_server_name = "server.dc1.consul"

ca_pem = <<-EOT
  -----BEGIN CERTIFICATE-----
  …
  -----END CERTIFICATE-----
EOT

nodes = {
  server-1 = { role = "server" }
  client-1 = { role = "client" }
  edge-1   = { role = "edge" }
}

fabio        = { address = "fabio.service.consul", tcp_port = 7000 }
redis_volume = "dynamic"
registry     = "registry.example:5000/team"
environment  = { CLIPPER_NODE_POOL = "cpu" }

consul_management_token   = "00000000-0000-0000-0000-000000000001"
nomad_bootstrap_token     = "00000000-0000-0000-0000-000000000002"
consul_nomad_server_token = "00000000-0000-0000-0000-000000000003"
consul_nomad_client_token = "00000000-0000-0000-0000-000000000004"
consul_fabio_token        = "00000000-0000-0000-0000-000000000005"
consul_agent_tokens = {
  server-1 = "00000000-0000-0000-0000-00000000000a"
  client-1 = "00000000-0000-0000-0000-00000000000b"
  edge-1   = "00000000-0000-0000-0000-00000000000c"
}
