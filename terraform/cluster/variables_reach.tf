variable "admin_cidrs" {
  description = <<-EOT
    Ranges of addresses from which Nomad's and Consul's APIs are reached, by HTTPS and with a token. None: within the
    private network alone.
  EOT
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for cidr in var.admin_cidrs :
      can(cidrnetmask(cidr)) && try(cidrhost(cidr, 0) == split("/", cidr)[0] && tonumber(split("/", cidr)[1]) >= 8, false)
    ])
    error_message = "Use ranges of IPv4 addresses from their first one on, like 203.0.113.0/24; not wider than /8: the APIs are not for all."
  }
}

variable "ssh_keys" {
  description = <<-EOT
    Public SSH keys by name, which may log in as root from admin_cidrs. They are added to the project. None: port 22
    stays closed.
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
    Name under which applications are reached from outside, by HTTPS. Its A record must name the output edge_address
    before it is set here, unless dns_zone is set. Null: nothing is reached from outside.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "Use a full domain name in lower case, like clipper.example.com."
  }
}

variable "dns_zone" {
  description = "Zone of Scaleway's DNS in which the domain's record is created. Null where the record is somebody else's."
  type        = string
  default     = null
}

variable "public_paths" {
  description = <<-EOT
    How the paths begin that can be asked from outside. Those of Clipper's default cluster; of another it is
    /clipper-NAME/.
  EOT
  type        = list(string)
  default     = ["/clipper/"]

  validation {
    condition     = length(var.public_paths) > 0 && alltrue([for path in var.public_paths : can(regex("^/.", path))])
    error_message = "Name one beginning of a path at least, each with a slash first and something after it, like /clipper/."
  }
}

variable "load_balancer_type" {
  description = "Scaleway's type of load balancer, which limits its bandwidth."
  type        = string
  default     = "LB-S"
}
