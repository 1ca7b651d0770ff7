terraform {
  required_version = ">= 1.8"

  required_providers {
    scaleway = {
      source = "scaleway/scaleway"
      # 2.75 is the oldest version whose schema was checked; older ones may work.
      version = ">= 2.75, < 3.0"
    }
  }
}
