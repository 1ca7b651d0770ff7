variable "api" {
  description = <<-EOT
    The HTTP API of Consul or Nomad.
      address      scheme://HOST:PORT
      server_name  the name in its certificate, if that is not the host
      ca_pem       the authority of its certificate
      wait_s       how long to retry while it does not answer, or has no leader
  EOT
  type = object({
    address     = string
    server_name = optional(string)
    ca_pem      = string
    wait_s      = number
  })
}

variable "management_token" {
  description = "A token with all rights; for nomad-bootstrap, the secret of the token to make."
  type        = string
  sensitive   = true
}

variable "kind" {
  description = "The kind of the object."
  type        = string

  validation {
    condition = contains(
      ["consul-anonymous", "consul-policy", "consul-token", "nomad-bootstrap", "nomad-policy", "nomad-token"], var.kind
    )
    error_message = "Use consul-anonymous, consul-policy, consul-token, nomad-bootstrap, nomad-policy or nomad-token."
  }
}

variable "id" {
  description = "The object's name, or a Consul token's accessor, by which it is found. It cannot change."
  type        = string

  validation {
    condition     = can(regex("^[-a-zA-Z0-9]{1,128}$", var.id))
    error_message = "Use at most 128 letters, digits and hyphens."
  }
}

variable "body" {
  description = "The body of the API's request, in JSON."
  type        = string
  sensitive   = true
}

variable "makes_secret" {
  description = "Whether Consul or Nomad generates the token's secret: a new one each time that the token is put."
  type        = bool
  default     = false
}
