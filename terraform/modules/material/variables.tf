variable "nodes" {
  description = "The nodes that get a certificate and a Consul token, by host name: private address and role."
  type = map(object({
    address = string
    role    = string
  }))

  validation {
    condition     = alltrue([for node in var.nodes : contains(["server", "client", "edge"], node.role)])
    error_message = "A node's role is server, client or edge."
  }
}

variable "region" {
  description = "Nomad's region: a part of the name that servers and clients of Nomad prove to each other."
  type        = string
  default     = "global"
}

variable "datacenter" {
  description = "Consul's datacenter: a part of the name that servers and clients of Consul prove to each other."
  type        = string
  default     = "dc1"
}

variable "ca_validity_hours" {
  description = "How long the certificate authority is valid. It is not renewed: a new one means that all nodes are replaced."
  type        = number
  default     = 87600 # ten years

  validation {
    condition     = var.ca_validity_hours >= 24
    error_message = "A certificate authority must be valid for at least 24 hours."
  }
}

variable "certificate_validity_hours" {
  description = "How long a node's certificate is valid."
  type        = number
  default     = 17520 # two years

  validation {
    condition     = var.certificate_validity_hours >= 24
    error_message = "A node's certificate must be valid for at least 24 hours."
  }
}

variable "certificate_renewal_hours" {
  description = "How long before its end an apply replaces a node's certificate. The node must get the new one within this time."
  type        = number
  default     = 2160 # 90 days

  validation {
    condition     = var.certificate_renewal_hours >= 0
    error_message = "Use 0 or more hours."
  }
}
