variable "api" {
  description = <<-EOT
    The HTTP API of Consul or Nomad.
      address      scheme://HOST:PORT
      server_name  the name in its certificate, where that is not the host
      ca_pem       the authority that its certificate is checked by
      wait_s       how long to ask again while it does not answer, or has no leader
  EOT
  type = object({
    address     = string
    server_name = optional(string)
    ca_pem      = string
    wait_s      = number
  })
}

variable "management_token" {
  description = "A token with all rights; of nomad-bootstrap, what becomes one."
  type        = string
  sensitive   = true
}

variable "kind" {
  description = "What the object is."
  type        = string

  validation {
    condition = contains(
      ["consul-anonymous", "consul-policy", "consul-token", "nomad-bootstrap", "nomad-policy", "nomad-token"], var.kind
    )
    error_message = "Use consul-anonymous, consul-policy, consul-token, nomad-bootstrap, nomad-policy or nomad-token."
  }
}

variable "id" {
  description = "Its name, of a token of Consul its accessor: what it is found by. An instance of this module keeps it."
  type        = string

  validation {
    condition     = can(regex("^[-a-zA-Z0-9]{1,128}$", var.id))
    error_message = "Use at most 128 letters, digits and hyphens."
  }
}

variable "body" {
  description = "The object as its API takes it, in JSON."
  type        = string
  sensitive   = true
}

variable "makes_secret" {
  description = "Whether Consul or Nomad makes the token's secret up. Each time that the token is put it is another one."
  type        = bool
  default     = false
}
