variable "name" {
  description = "Name of the cluster, which the names of all that is created begin with."
  type        = string
}

variable "region" {
  description = "Scaleway's region."
  type        = string
}

variable "zones" {
  description = <<-EOT
    The region's zones that nodes are spread over, in turn. The load balancer is in the first. Nodes are moved, so made
    anew, when this changes.
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
  description = "Pools of clients by name: how many, type, image and volume; zones, where not all of the cluster's have the type."
  type = map(object({
    count     = number
    type      = string
    image     = string
    volume_gb = number
    zones     = optional(list(string), [])
  }))
}

variable "admin_cidrs" {
  description = "Ranges of addresses from which the servers' APIs can be reached, and port 22 of all nodes where there are ssh_keys."
  type        = list(string)
}

variable "ssh_keys" {
  description = "Public SSH keys by name, which are added to the project. Its images let in whoever has one of the project's keys, as root."
  type        = map(string)
}

variable "domain" {
  description = "Name under which applications are reached from outside, by HTTPS. Null opens nothing to the outside."
  type        = string
}

variable "dns_zone" {
  description = "Zone of Scaleway's DNS in which the domain's record is created. Null where somebody else's DNS has the record."
  type        = string
}

variable "public_paths" {
  description = "How the paths begin that the outside may ask Fabio for."
  type        = list(string)
}

variable "load_balancer_type" {
  description = "Scaleway's type of load balancer."
  type        = string
}

variable "fabio" {
  description = "Fabio's ports on the edge nodes: of HTTP routes, and of its UI, which also tells its health."
  type = object({
    http_port = number
    ui_port   = number
  })
}

variable "registry_name" {
  description = "Name of the container registry's namespace, which nobody else in the region may have."
  type        = string
}

variable "bootstrap_key_minutes" {
  description = "For how many minutes the key is valid that a new node fetches its secrets with."
  type        = number
}

variable "user_data" {
  description = "By node: cloud-init user data."
  type        = map(string)
  sensitive   = true
}

variable "secret_bundles" {
  description = "By node: what goes into the secret store for it."
  type        = map(string)
  sensitive   = true
}
