variable "name" {
  description = "Name of the cluster, in the metadata of the nodes in Nomad and Consul; nothing else depends on it."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$", var.name))
    error_message = "Use a DNS label of at most 32 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "Nomad's region. The servers' certificates are for server.REGION.nomad."
  type        = string
  default     = "global"

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", var.region))
    error_message = "A region is a DNS label of lower-case letters, digits and hyphens: it is part of the name in certificates."
  }
}

variable "datacenter" {
  description = "The datacenter of Nomad and Consul. The servers' certificates are for server.DATACENTER.consul."
  type        = string
  default     = "dc1"

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", var.datacenter))
    error_message = "A datacenter is a DNS label of lower-case letters, digits and hyphens: it is part of the name in certificates."
  }
}

variable "nodes" {
  description = <<-EOT
    The nodes, by host name.
      address  private IPv4 address, used by the other nodes
      role     server (Consul and Nomad), client (Consul, Nomad and the drivers of its pool) or edge (Consul and Fabio)
      pool     of a client: a key of `pools`
      zone     the node's zone, for spreading; Nomad's meta `zone`
      root     folder of all of the node's files; only nodes with the root / get user data
  EOT
  type = map(object({
    address = string
    role    = string
    pool    = optional(string)
    zone    = optional(string)
    root    = optional(string, "/")
  }))

  validation {
    condition     = alltrue([for name in keys(var.nodes) : can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", name))])
    error_message = "The name of a node is its host name and its name in Consul's DNS: at most 63 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue([for node in var.nodes : contains(["server", "client", "edge"], node.role)])
    error_message = "The role of a node is server, client or edge."
  }

  validation {
    condition     = contains([1, 3, 5], length([for node in var.nodes : node if node.role == "server"]))
    error_message = "Use 3 servers, or 5, or 1 for a trial: an even number survives no more failures than one fewer."
  }

  validation {
    condition     = alltrue([for node in var.nodes : can(cidrnetmask("${node.address}/32"))])
    error_message = "The address of a node is an IPv4 address, without a prefix length: 10.0.0.11."
  }

  validation {
    condition     = length(distinct([for node in var.nodes : node.address])) == length(var.nodes)
    error_message = "Two nodes have the same address."
  }

  validation {
    condition     = alltrue([for node in var.nodes : (node.pool != null) == (node.role == "client")])
    error_message = "Each client has a pool, and no server or edge has one."
  }

  validation {
    condition     = alltrue([for node in var.nodes : can(regex("^/([-._a-zA-Z0-9]+/?)*$", node.root))])
    error_message = "A root is an absolute path of letters, digits, dots, hyphens and underscores: units cannot quote others."
  }
}
