terraform {
  required_version = ">= 1.8"

  required_providers {
    random = {
      source  = "hashicorp/random"
      version = ">= 3.5, < 4.0" # random_bytes
    }
    tls = {
      source  = "hashicorp/tls"
      version = ">= 4.0, < 5.0"
    }
  }
}
