# For production: three zones, two edge nodes, HTTPS from outside, and a pool with GPUs.

name   = "clipper"
region = "fr-par"

# The addresses from which Nomad's and Consul's APIs are open, and logins to nodes.
admin_cidrs = ["203.0.113.0/24"]
ssh_keys    = { anna = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEexampleEXAMPLEexampleEXAMPLEexampleEXAM anna@example.com" }

# With dns_zone the record is created too. Without it, set domain once the name leads to the output edge_address.
domain   = "models.example.com"
dns_zone = "example.com"

pools = {
  cpu = { count = 3, type = "PRO2-S", volume_gb = 100 }

  # Models that are deployed with devices=[Device("nvidia/gpu", 1)] are placed here. Not every zone has every GPU, and quotas
  # for them are low at first: see Scaleway's console.
  gpu = {
    count     = 1
    type      = "L4-1-24G"
    zones     = ["fr-par-2"]
    gpu       = true
    volume_gb = 150
  }
}
