# A cluster on machines that exist already. It creates none: it makes the files and the user data of each.
#
#   cp example.tfvars cluster.auto.tfvars        # and put your machines there; for the secrets see variables.tf
#   tofu init && tofu apply
#
# A machine before its first boot, in a cloud, by PXE or from an ISO image of cloud-init's NoCloud, gets its user data,
# which does everything but bring the secrets:
#
#   tofu output -json user_data | jq -r '.["server-1"]' > server-1.yaml
#
# On a machine that runs, install consul, nomad, docker.io and Fabio by your own means, and then its files:
#
#   for output in files secret_files; do
#     tofu output -json $output | jq '.["server-1"]' | ssh server-1 sudo python3 put-files.py    # modules/nodes/scripts has it
#   done
#   ssh server-1 'sudo systemd-tmpfiles --create; sudo systemctl restart systemd-resolved; sudo systemctl enable --now consul nomad'
#
# Servers first. Then apply ../../../access, which makes the tokens in Consul and Nomad. Bring later changes, of
# certificates too, the same way, one machine after another, with `systemctl reload` (certificates, tokens) or `restart`
# (the rest).
module "nodes" {
  source = "../.."

  name            = var.name
  region          = var.region
  datacenter      = var.datacenter
  nodes           = var.nodes
  pools           = var.pools
  material        = var.material
  registry_logins = var.registry_logins
  fetch_secrets   = var.fetch_secrets
  versions        = var.versions
  fabio           = var.fabio
}
