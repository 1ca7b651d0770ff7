# The cluster that all tests begin with. Nothing looks into the certificates here.
name = "tests"

nodes = {
  server-1 = { address = "10.0.0.11", role = "server", zone = "a" }
  server-2 = { address = "10.0.0.12", role = "server", zone = "b" }
  server-3 = { address = "10.0.0.13", role = "server" }
  cpu-1    = { address = "10.0.0.21", role = "client", pool = "cpu", zone = "a" }
  gpu-1    = { address = "10.0.0.31", role = "client", pool = "gpu", root = "/srv/gpu-1/" }
  edge-1   = { address = "10.0.0.41", role = "edge" }
}

pools = {
  cpu = { drivers = ["docker", "exec", "raw_exec"], host_volumes = ["redis"], meta = { disk = "fast" } }
  gpu = { node_class = "l40s", node_pool = "gpus", gpu = {} }
}

material = {
  ca_pem = "-----BEGIN CERTIFICATE-----\nauthority"
  certificates = {
    server-1 = { certificate_pem = "-----BEGIN CERTIFICATE-----\nserver-1", private_key_pem = "-----BEGIN EC PRIVATE KEY-----\nserver-1" }
    server-2 = { certificate_pem = "-----BEGIN CERTIFICATE-----\nserver-2", private_key_pem = "-----BEGIN PRIVATE KEY-----\nserver-2" }
    server-3 = { certificate_pem = "-----BEGIN CERTIFICATE-----\nserver-3", private_key_pem = "-----BEGIN PRIVATE KEY-----\nserver-3" }
    cpu-1    = { certificate_pem = "-----BEGIN CERTIFICATE-----\ncpu-1", private_key_pem = "-----BEGIN PRIVATE KEY-----\ncpu-1" }
    gpu-1    = { certificate_pem = "-----BEGIN CERTIFICATE-----\ngpu-1", private_key_pem = "-----BEGIN PRIVATE KEY-----\ngpu-1" }
    edge-1   = { certificate_pem = "-----BEGIN CERTIFICATE-----\nedge-1", private_key_pem = "-----BEGIN PRIVATE KEY-----\nedge-1" }
  }
  consul_gossip_key       = "Y29uc3VsY29uc3VsY29uc3VsY29uc3VsY29uc3VsY28="
  nomad_gossip_key        = "bm9tYWRub21hZG5vbWFkbm9tYWRub21hZG5vbWFkbm8="
  consul_management_token = "00000000-0000-4000-8000-000000000000"
  consul_agent_tokens = {
    server-1 = "00000000-0000-4000-8000-000000000011"
    server-2 = "00000000-0000-4000-8000-000000000012"
    server-3 = "00000000-0000-4000-8000-000000000013"
    cpu-1    = "00000000-0000-4000-8000-000000000021"
    gpu-1    = "00000000-0000-4000-8000-000000000031"
    edge-1   = "00000000-0000-4000-8000-000000000041"
  }
  consul_nomad_server_token = "00000000-0000-4000-8000-000000000001"
  consul_nomad_client_token = "00000000-0000-4000-8000-000000000002"
  consul_fabio_token        = "00000000-0000-4000-8000-000000000003"
}

fetch_secrets = { cpu-1 = "fetch --key cpu-1-key" }
