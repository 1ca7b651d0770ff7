variable "versions" {
  description = <<-EOT
    Versions of the packages of HashiCorp's and NVIDIA's repositories, as apt writes them. Docker is the distribution's.
    A new version makes new user data: replace the nodes one at a time, servers first, each once `nomad server members`,
    `consul operator raft list-peers` and `nomad node status` show the previous one as alive.
  EOT
  type = object({
    consul                   = optional(string, "1.22.3-1")
    nomad                    = optional(string, "1.11.3-1")
    nomad_device_nvidia      = optional(string, "1.1.0-1")
    nvidia_container_toolkit = optional(string, "1.18.2-1")
  })
  default = {}

  validation {
    condition     = alltrue([for version in var.versions : can(regex("^[0-9][.+~0-9a-zA-Z]*-[0-9]+$", version))])
    error_message = "Give versions as `apt-cache madison nomad` lists them, with the package's own number: 1.11.3-1."
  }
}

variable "fabio" {
  description = <<-EOT
    Fabio, on the nodes with the role edge.
      url, sha256  its program for Linux, and the checksum that the program must have
      http_port    the port of HTTP
      tcp_ports    the ports of TCP: each Clipper cluster takes one of them for its models
      ui_port      the port of its routes and its health, on the node's address alone
  EOT
  type = object({
    url       = optional(string, "https://github.com/fabiolb/fabio/releases/download/v1.5.15/fabio-1.5.15-go1.15.5-linux_amd64")
    sha256    = optional(string, "14c7a02ca95fb00a4f3010eab4e3c0e354a3f4953d2a793cb800332012f42066")
    http_port = optional(number, 9999)
    tcp_ports = optional(list(number), [7000, 7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008, 7009, 7010, 7011])
    ui_port   = optional(number, 9998)
  })
  default = {}

  validation {
    condition     = can(regex("^https://[^[:space:]'\"]+$", var.fabio.url)) && can(regex("^[0-9a-f]{64}$", var.fabio.sha256))
    error_message = "Fabio's `url` begins with https://, and `sha256` is 64 lower-case hexadecimal digits: `sha256sum FILE`."
  }

  validation {
    # Ports below 1024 are for root; Fabio runs as another user.
    condition = alltrue([
      for port in concat([var.fabio.http_port, var.fabio.ui_port], var.fabio.tcp_ports) :
      port >= 1024 && port <= 65535 && floor(port) == port
    ])
    error_message = "Fabio's ports are from 1024 to 65535: put a load balancer for 443 or 80 in front of it."
  }

  validation {
    condition     = length(distinct(concat([var.fabio.http_port, var.fabio.ui_port], var.fabio.tcp_ports))) == length(var.fabio.tcp_ports) + 2
    error_message = "Use each of Fabio's ports only once."
  }
}

variable "docker_bridge" {
  description = "Address, with prefix length, of Docker's bridge on every client. Containers ask this address for names, Consul's included."
  type        = string
  default     = "172.17.0.1/16"

  validation {
    condition     = can(cidrnetmask(var.docker_bridge)) && try(tonumber(split("/", var.docker_bridge)[1]) <= 24, false)
    error_message = "Give an IPv4 address with a prefix length of at most 24: 172.17.0.1/16."
  }
}
