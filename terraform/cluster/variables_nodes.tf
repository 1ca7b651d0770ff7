variable "servers" {
  description = <<-EOT
    The three servers of Consul and Nomad: Scaleway's type of instance, the image's label, and the size of
    the volume.
  EOT
  type = object({
    type      = optional(string, "PRO2-XXS")
    image     = optional(string, "ubuntu_noble")
    volume_gb = optional(number, 20)
  })
  default = {}

  validation {
    condition     = var.servers.volume_gb >= 10
    error_message = "Give a server's volume at least 10 GB."
  }
}

variable "edge" {
  description = "The nodes of Fabio, through which queries go: count (two survive the loss of one), type, image and volume."
  type = object({
    count     = optional(number, 2)
    type      = optional(string, "PRO2-XXS")
    image     = optional(string, "ubuntu_noble")
    volume_gb = optional(number, 10)
  })
  default = {}

  validation {
    condition     = var.edge.count >= 1 && floor(var.edge.count) == var.edge.count && var.edge.volume_gb >= 10
    error_message = "Use at least one edge node, with a volume of at least 10 GB."
  }
}

variable "pools" {
  description = <<-EOT
    Clients, on which frontends and models run, by pool.
      count         how many nodes
      type          Scaleway's type of instance, one with GPUs if gpu is true
      image         the image's label; if not set, ubuntu_noble, or gpu_image if gpu is true
      volume_gb     size of a node's volume, which has images, models and Redis' state
      zones         the zones that have the type, if some of the cluster's do not
      gpu           whether its instances have NVIDIA's GPUs, for tasks to ask for as nvidia/gpu
      node_class    Nomad's node class; the pool's name if not set
      node_pool     Nomad's node pool
      drivers       task drivers: docker, exec, raw_exec
      host_volumes  names of host volumes that every node of the pool has; put one for Redis into a pool of one node
      meta          Nomad's client metadata
  EOT
  type = map(object({
    count        = number
    type         = string
    image        = optional(string)
    volume_gb    = optional(number, 50)
    zones        = optional(list(string), [])
    gpu          = optional(bool, false)
    node_class   = optional(string)
    node_pool    = optional(string, "default")
    drivers      = optional(list(string), ["docker"])
    host_volumes = optional(list(string), [])
    meta         = optional(map(string), {})
  }))
  default = {
    cpu = { count = 2, type = "PRO2-XS" }
  }

  validation {
    condition = alltrue([
      for name in keys(var.pools) :
      can(regex("^[a-z]([-a-z0-9]{0,22}[a-z0-9])?$", name)) && !contains(["server", "edge"], name)
    ])
    error_message = "Name pools by at most 24 lower-case letters, digits and hyphens, beginning with a letter, and not server or edge."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.count >= 0 && floor(pool.count) == pool.count])
    error_message = "A pool has 0 or more nodes."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.volume_gb >= 20])
    error_message = "Give a client's volume at least 20 GB: images are large."
  }
}

variable "gpu_image" {
  description = <<-EOT
    Label of the image of nodes with GPUs: one that has NVIDIA's driver, Docker and the container toolkit.
  EOT
  type        = string
  default     = "ubuntu_noble_gpu_os_13_nvidia"
}

variable "versions" {
  description = "Versions of the packages on the nodes; those that are not set are the defaults of modules/nodes."
  type = object({
    consul                   = optional(string)
    nomad                    = optional(string)
    nomad_device_nvidia      = optional(string)
    nvidia_container_toolkit = optional(string)
  })
  default = {}
}

variable "fabio" {
  description = "The URL and the checksum of Fabio's program for Linux; if not set, those of modules/nodes."
  type = object({
    url    = optional(string)
    sha256 = optional(string)
  })
  default = {}
}
