terraform {
  required_version = ">= 1.8"

  required_providers {
    scaleway = {
      source = "scaleway/scaleway"
      # Older ones have most of this too: 2.75 is the oldest whose schema this was checked against.
      version = ">= 2.75, < 3.0"
    }
  }
}
