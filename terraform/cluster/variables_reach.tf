variable "admin_cidrs" {
  description = <<-EOT
    Ranges of addresses from which Nomad's and Consul's APIs are open, by HTTPS and with a token. None: only the private
    network reaches them.
  EOT
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for cidr in var.admin_cidrs :
      can(cidrnetmask(cidr)) && try(cidrhost(cidr, 0) == split("/", cidr)[0] && tonumber(split("/", cidr)[1]) >= 8, false)
    ])
    error_message = "Use ranges of IPv4 addresses that begin with their first one, like 203.0.113.0/24, and not wider than /8."
  }
}

variable "ssh_keys" {
  description = <<-EOT
    Public SSH keys by name, for logins as root from admin_cidrs. They are added to the project. None: port 22 stays
    closed.
  EOT
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in var.ssh_keys : can(regex("^(ssh-|ecdsa-|sk-)\\S+ \\S+", key))])
    error_message = "Use public keys as in ~/.ssh/id_ed25519.pub: ssh-ed25519 AAAA…"
  }
}

variable "domain" {
  description = <<-EOT
    Domain name of applications for HTTPS from outside. Unless dns_zone is set, its A record must have the output
    edge_address before you set it here. Null: nothing is open to the outside.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "Use a full domain name in lower case, like clipper.example.com."
  }
}

variable "dns_zone" {
  description = "Zone of Scaleway's DNS in which the domain's record is created. Null if another DNS has the record."
  type        = string
  default     = null
}

variable "public_paths" {
  description = <<-EOT
    Prefixes of the paths that are open to the outside. The default is that of Clipper's default cluster; another
    cluster has /clipper-NAME/.
  EOT
  type        = list(string)
  default     = ["/clipper/"]

  validation {
    condition     = length(var.public_paths) > 0 && alltrue([for path in var.public_paths : can(regex("^/.", path))])
    error_message = "Give at least one prefix of a path. Each begins with a slash and has more after it, like /clipper/."
  }
}

variable "load_balancer_type" {
  description = "Scaleway's type of load balancer, which limits its bandwidth."
  type        = string
  default     = "LB-S"
}
