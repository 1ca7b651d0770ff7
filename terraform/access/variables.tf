variable "nomad_address" {
  description = "Nomad's API, of any server: https://HOST:4646."
  type        = string

  validation {
    condition     = can(regex("^https?://[^/?#@\\s\"]+:[0-9]+/?$", var.nomad_address))
    error_message = "Use a URL with its port and no path, such as https://10.0.0.11:4646."
  }
}

variable "consul_address" {
  description = "Consul's API, of any server: https://HOST:8501."
  type        = string

  validation {
    condition     = can(regex("^https?://[^/?#@\\s\"]+:[0-9]+/?$", var.consul_address))
    error_message = "Use a URL with its port and no path, such as https://10.0.0.11:8501."
  }
}

variable "ca_pem" {
  description = "The certificate of the authority that signed the servers' certificates, in PEM."
  type        = string

  validation {
    condition     = strcontains(var.ca_pem, "-----BEGIN CERTIFICATE-----")
    error_message = "Give the certificate itself, in PEM, not a file's name."
  }
}

variable "nomad_tls_server_name" {
  description = "The name in Nomad's certificate, if it does not have the address's host: server.REGION.nomad."
  type        = string
  default     = null
}

variable "consul_tls_server_name" {
  description = "The name in Consul's certificate, if it does not have the address's host: server.DATACENTER.consul."
  type        = string
  default     = null
}

variable "wait_s" {
  description = "How many seconds to wait for Nomad and Consul to answer and to have leaders."
  type        = number
  default     = 60

  validation {
    condition     = var.wait_s >= 0 && floor(var.wait_s) == var.wait_s
    error_message = "Use a whole number of seconds."
  }
}

variable "datacenter" {
  description = "Consul's datacenter."
  type        = string
}

variable "nodes" {
  description = "The nodes, by host name: role is server, client or edge."
  type        = map(object({ role = string }))

  validation {
    condition     = alltrue([for node in values(var.nodes) : contains(["server", "client", "edge"], node.role)])
    error_message = "A node's role is server, client or edge."
  }

  validation {
    condition     = alltrue([for name in keys(var.nodes) : can(regex("^[a-zA-Z0-9]([-a-zA-Z0-9]{0,62})$", name))])
    error_message = "A node's name has at most 63 letters, digits and hyphens, and begins with a letter or digit."
  }
}

variable "service_prefixes" {
  description = "The prefixes of services that Nomad's jobs may register in Consul: \"\" allows any."
  type        = list(string)
  default     = ["clipper-"]

  validation {
    condition     = alltrue([for prefix in var.service_prefixes : can(regex("^[-a-zA-Z0-9]*$", prefix))])
    error_message = "Use letters, digits and hyphens."
  }
}

variable "fabio" {
  description = "Fabio's address for applications and for models: `tcp_port` is the cluster's own."
  type = object({
    address   = string
    http_port = optional(number, 9999)
    tcp_port  = optional(number, 7000)
  })
}

variable "redis_volume" {
  description = "The volume of Redis's state: a host volume's name, or `dynamic` for one that Nomad makes; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.redis_volume == null || can(regex("^[-a-zA-Z0-9]{1,128}$", var.redis_volume))
    error_message = "Use the name of a host volume (letters, digits, hyphens), or dynamic."
  }
}

variable "registry" {
  description = "The registry of all images, host[:port][/path]; null for none."
  type        = string
  default     = null
}

variable "environment" {
  description = "More variables of the admin library, such as CLIPPER_DRIVER; they win over those that follow from other inputs."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "The names of variables have letters, digits and underscores, and do not begin with a digit."
  }
}

variable "consul_management_token" {
  description = "Consul's `initial_management` token, a UUID."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.consul_management_token))
    error_message = "Use a UUID in lower case."
  }
}

variable "nomad_bootstrap_token" {
  description = "The secret of Nomad's first token, a UUID; if Nomad has one already, that one."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.nomad_bootstrap_token))
    error_message = "Use a UUID in lower case."
  }
}

variable "consul_agent_tokens" {
  description = "By node, the token in its Consul agent's configuration, a UUID."
  type        = map(string)
  sensitive   = true

  validation {
    condition = alltrue([
      for token in values(var.consul_agent_tokens) : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", token))
    ])
    error_message = "Use a UUID in lower case for each node."
  }
}

variable "consul_nomad_server_token" {
  description = "The token for Consul in the configuration of Nomad's servers, a UUID."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.consul_nomad_server_token))
    error_message = "Use a UUID in lower case."
  }
}

variable "consul_nomad_client_token" {
  description = "The token for Consul in the configuration of Nomad's clients, a UUID."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.consul_nomad_client_token))
    error_message = "Use a UUID in lower case."
  }
}

variable "consul_fabio_token" {
  description = "The token for Consul in Fabio's configuration, a UUID."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.consul_fabio_token))
    error_message = "Use a UUID in lower case."
  }
}
