variable "name" {
  description = "Name of the cluster, with which the names of all its resources begin."
  type        = string
}

variable "region" {
  description = "Scaleway's region."
  type        = string
}

variable "zones" {
  description = <<-EOT
    The region's zones, over which nodes are spread in turn. The load balancer is in the first. A change moves nodes, so
    it replaces them.
  EOT
  type        = list(string)

  validation {
    condition     = length(var.zones) > 0 && length(distinct(var.zones)) == length(var.zones)
    error_message = "Name one or more zones, each once."
  }
}

variable "private_cidr" {
  description = "Range of the private network's addresses."
  type        = string
}

variable "servers" {
  description = "The three servers: Scaleway's type of instance, the image's label, and the size of the volume."
  type = object({
    type      = string
    image     = string
    volume_gb = number
  })
}

variable "edge" {
  description = "The nodes that run Fabio: how many, type, image and volume, as for servers."
  type = object({
    count     = number
    type      = string
    image     = string
    volume_gb = number
  })
}

variable "pools" {
  description = "Pools of clients by name: count, type, image and volume; zones, if some of the cluster's do not have the type."
  type = map(object({
    count     = number
    type      = string
    image     = string
    volume_gb = number
    zones     = optional(list(string), [])
  }))
}

variable "admin_cidrs" {
  description = "Ranges of addresses from which the servers' APIs are open, and port 22 of all nodes if there are ssh_keys."
  type        = list(string)
}

variable "ssh_keys" {
  description = "Public SSH keys by name, added to the project. Scaleway's images accept all keys of the project for root."
  type        = map(string)
}

variable "domain" {
  description = "Domain name of applications for HTTPS from outside. Null opens nothing to the outside."
  type        = string
}

variable "dns_zone" {
  description = "Zone of Scaleway's DNS in which the domain's record is created. Null if another DNS has the record."
  type        = string
}

variable "public_paths" {
  description = "Prefixes of the paths that are open to the outside."
  type        = list(string)
}

variable "load_balancer_type" {
  description = "Scaleway's type of load balancer."
  type        = string
}

variable "fabio" {
  description = "Fabio's ports on the edge nodes: of HTTP routes, and of its UI, which has its health."
  type = object({
    http_port = number
    ui_port   = number
  })
}

variable "registry_name" {
  description = "Name of the container registry's namespace, unique in the region."
  type        = string
}

variable "bootstrap_key_minutes" {
  description = "The minutes for which a new node's key for fetching its secrets is valid."
  type        = number
}

variable "user_data" {
  description = "By node: cloud-init user data."
  type        = map(string)
  sensitive   = true
}

variable "secret_bundles" {
  description = "By node: its entry in the secret store."
  type        = map(string)
  sensitive   = true
}
