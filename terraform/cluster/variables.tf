variable "name" {
  description = "Name of the cluster, with which the names of all its resources begin."
  type        = string
  default     = "clipper"

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,22}[a-z0-9])?$", var.name))
    error_message = "Use at most 24 lower-case letters, digits and hyphens, beginning with a letter: it is part of host names."
  }
}

variable "project_id" {
  description = <<-EOT
    Scaleway's project. Give the cluster one of its own, since rights hold for whole projects. Null is the project of
    SCW_DEFAULT_PROJECT_ID or of Scaleway's configuration file.
  EOT
  type        = string
  default     = null
}

variable "region" {
  description = "Scaleway's region."
  type        = string
  default     = "fr-par"

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]{3}$", var.region))
    error_message = "A region is written like fr-par, nl-ams or pl-waw."
  }
}

variable "zones" {
  description = <<-EOT
    The region's zones, over which nodes are spread in turn; all three if empty. Choose once: a change replaces
    nodes.
  EOT
  type        = list(string)
  default     = []

  validation {
    condition     = length(distinct(var.zones)) == length(var.zones)
    error_message = "Name each zone once."
  }
}

variable "datacenter" {
  description = "The datacenter of Nomad and Consul."
  type        = string
  default     = "dc1"
}

variable "private_cidr" {
  description = "Range of the private network's addresses, outside of Docker's, which is 172.17.0.0/16."
  type        = string
  default     = "10.64.0.0/22"

  validation {
    condition     = can(cidrnetmask(var.private_cidr)) && try(cidrhost(var.private_cidr, 0) == split("/", var.private_cidr)[0], false)
    error_message = "Use a range of IPv4 addresses that begins with its first one, like 10.64.0.0/22."
  }
}

variable "registry_name" {
  description = "Name of the container registry's namespace, unique in the region. Null is the cluster's name."
  type        = string
  default     = null
}

variable "redis_volume" {
  description = <<-EOT
    The volume of Redis's state: dynamic (a volume that Nomad makes), or a host volume of a pool. Null: the state ends
    with Redis's job.
  EOT
  type        = string
  default     = "dynamic"
}

variable "certificate_validity_hours" {
  description = "How long a node's certificate is valid."
  type        = number
  default     = 17520 # two years
}

variable "certificate_renewal_hours" {
  description = <<-EOT
    How long before its end an apply replaces a node's certificate. The node must get the new one within this time.
  EOT
  type        = number
  default     = 2160 # 90 days
}

variable "bootstrap_key_minutes" {
  description = <<-EOT
    The minutes after an apply that adds nodes in which their key for fetching secrets is valid. An instance with GPUs
    may take some minutes to start.
  EOT
  type        = number
  default     = 60

  validation {
    condition     = var.bootstrap_key_minutes >= 10 && var.bootstrap_key_minutes <= 1440
    error_message = "Use 10 to 1440 minutes: long enough to start, short enough that a key that is found is useless."
  }
}
