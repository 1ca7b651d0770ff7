variable "nodes" {
  description = "The nodes that get a certificate and a token of Consul, by host name: private address and role."
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
  description = "How long the certificate authority is valid. It is not renewed: a new one means that all nodes are made anew."
  type        = number
  default     = 87600 # ten years

  validation {
    condition     = var.ca_validity_hours >= 24
    error_message = "A certificate authority is valid for 24 hours at least."
  }
}

variable "certificate_validity_hours" {
  description = "How long a node's certificate is valid."
  type        = number
  default     = 17520 # two years

  validation {
    condition     = var.certificate_validity_hours >= 24
    error_message = "A node's certificate is valid for 24 hours at least."
  }
}

variable "certificate_renewal_hours" {
  description = "How long before its end an apply makes a node's certificate anew, which the node must then be given within this time."
  type        = number
  default     = 2160 # 90 days

  validation {
    condition     = var.certificate_renewal_hours >= 0
    error_message = "Renewal comes 0 or more hours before a certificate's end."
  }
}
