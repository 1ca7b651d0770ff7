# modules/nodes describes each in full, and checks the values.

variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "region" {
  description = "Nomad's region."
  type        = string
  default     = "global"
}

variable "datacenter" {
  description = "The datacenter of Nomad and Consul."
  type        = string
  default     = "dc1"
}

variable "nodes" {
  description = "The machines, by host name: private IPv4 address, role (server, client or edge), a client's pool, zone, and root folder."
  type = map(object({
    address = string
    role    = string
    pool    = optional(string)
    zone    = optional(string)
    root    = optional(string)
  }))
}

variable "pools" {
  description = "Pools of clients, by name: node class and pool of Nomad's, drivers, GPUs, host volumes, metadata."
  type = map(object({
    node_class   = optional(string)
    node_pool    = optional(string)
    drivers      = optional(list(string))
    gpu          = optional(object({ driver = optional(string), packages = optional(list(string)) }))
    host_volumes = optional(list(string))
    meta         = optional(map(string))
  }))
  default = {}
}

variable "material" {
  description = <<-EOT
    The secrets: a certificate authority, the nodes' certificates, gossip keys and tokens. modules/material makes all of
    them; or take certificates of your own authority, with the same names and the node's address in each, keys from
    `openssl rand -base64 32` and tokens from `uuidgen`. Keep them out of version control.
  EOT
  type = object({
    ca_pem                    = string
    certificates              = map(object({ certificate_pem = string, private_key_pem = string }))
    consul_gossip_key         = string
    nomad_gossip_key          = string
    consul_management_token   = string
    consul_agent_tokens       = map(string)
    consul_nomad_server_token = string
    consul_nomad_client_token = string
    consul_fabio_token        = string
  })
  sensitive = true
}

variable "registry_logins" {
  description = "By registry, as in the names of images: the login with which clients pull its images."
  type        = map(object({ username = string, password = string }))
  default     = {}
  sensitive   = true
}

variable "fetch_secrets" {
  description = "By node, a shell command line by which its user data fetches its secret files from a store of yours."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "versions" {
  description = "Versions of the packages: consul, nomad, nomad_device_nvidia, nvidia_container_toolkit."
  type = object({
    consul                   = optional(string)
    nomad                    = optional(string)
    nomad_device_nvidia      = optional(string)
    nvidia_container_toolkit = optional(string)
  })
  default = {}
}

variable "fabio" {
  description = "Fabio of the edges: its program's url and sha256, and its ports."
  type = object({
    url       = optional(string)
    sha256    = optional(string)
    http_port = optional(number)
    tcp_ports = optional(list(number))
    ui_port   = optional(number)
  })
  default = {}
}
