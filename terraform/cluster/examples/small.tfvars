# The smallest cluster that survives the loss of a server or a client: three servers, one edge node, two clients.
# Queries come from within the private network.
#
#   tofu apply -var-file=examples/small.tfvars -var='admin_cidrs=["203.0.113.7/32"]'

name    = "small"
zones   = ["fr-par-1"]
servers = { type = "DEV1-S" }
edge    = { type = "DEV1-S", count = 1 }

pools = {
  cpu = { count = 2, type = "DEV1-L" }
}
