terraform {
  required_version = ">= 1.8"

  # The state holds the cluster's secrets. Without a backend it is a file in this folder: enough for a trial. For more
  # than that, configure a backend in a file beside this one that encrypts and locks (an S3 one works with Scaleway's Object
  # Storage), or use OpenTofu's encryption of state.

  required_providers {
    random = {
      source  = "hashicorp/random"
      version = ">= 3.5, < 4.0"
    }
    scaleway = {
      source  = "scaleway/scaleway"
      version = ">= 2.75, < 3.0"
    }
    tls = {
      source  = "hashicorp/tls"
      version = ">= 4.0, < 5.0"
    }
  }
}

# The credentials are SCW_ACCESS_KEY and SCW_SECRET_KEY, or those of Scaleway's configuration file.
provider "scaleway" {
  region     = var.region
  zone       = local.zones[0]
  project_id = var.project_id
}
