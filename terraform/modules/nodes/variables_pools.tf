variable "pools" {
  description = <<-EOT
    Pools of clients, by name.
      node_class    Nomad's node class; the pool's name if not set
      node_pool     Nomad's node pool
      drivers       task drivers: docker, exec, raw_exec. Only these are offered to jobs; raw_exec runs tasks as root
      gpu           NVIDIA GPUs. driver: the packages named by `packages` (Ubuntu's, if not set) and NVIDIA's container
                    toolkit are installed (`install`), or the image has driver, toolkit and Docker (`present`)
      host_volumes  names of the host volumes that every node of the pool has, each a folder of the
                    user 10001, which Clipper's images run as. Put one for Redis into a pool of one node: on
                    another Redis would start empty
      meta          Nomad's client metadata
  EOT
  type = map(object({
    node_class = optional(string)
    node_pool  = optional(string, "default")
    drivers    = optional(list(string), ["docker"])
    gpu = optional(object({
      driver   = optional(string, "install")
      packages = optional(list(string), ["nvidia-headless-580-server", "nvidia-utils-580-server"])
    }))
    host_volumes = optional(list(string), [])
    meta         = optional(map(string), {})
  }))
  default = {}

  validation {
    condition     = alltrue([for pool in var.pools : length(pool.drivers) > 0])
    error_message = "A pool without a driver runs nothing: put docker, exec or raw_exec into its `drivers`."
  }

  validation {
    condition = alltrue(flatten([
      for pool in var.pools : [for driver in pool.drivers : contains(["docker", "exec", "raw_exec"], driver)]
    ]))
    error_message = "Use docker, exec and raw_exec as a pool's drivers."
  }

  validation {
    condition     = alltrue([for pool in var.pools : contains(["install", "present"], pool.gpu.driver) if pool.gpu != null])
    error_message = "Use `install` or `present` as the driver of a pool's GPUs."
  }

  validation {
    condition     = alltrue([for pool in var.pools : contains(pool.drivers, "docker") if pool.gpu != null])
    error_message = "A pool with GPUs needs the driver docker, which gives GPUs to tasks."
  }

  validation {
    condition = alltrue(flatten([
      for pool in var.pools : [for volume in pool.host_volumes : can(regex("^[a-zA-Z0-9]([-_a-zA-Z0-9]{0,126}[a-zA-Z0-9])?$", volume))]
    ]))
    error_message = "The name of a host volume, which is that of its folder too, has letters, digits, hyphens and underscores."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.node_pool != "all" && can(regex("^[-_a-zA-Z0-9]{1,128}$", pool.node_pool))])
    error_message = "A node pool's name has letters, digits, hyphens and underscores, and is not `all`, in which every node is anyway."
  }

  validation {
    condition = alltrue(flatten([
      for pool in var.pools : [for key in keys(pool.meta) : !contains(["cluster", "zone"], key)]
    ]))
    error_message = "Leave `cluster` and `zone` out of `meta`: they are the cluster's name and the node's zone."
  }
}
