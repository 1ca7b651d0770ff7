variable "material" {
  description = <<-EOT
    The secrets: the certificate authority's certificate, a certificate for each node (for server.REGION.nomad and
    server.DATACENTER.consul, or client.…, and its address), gossip keys (32 bytes, base64) and the Consul tokens of the
    agents, which `access/` makes in Consul with these secrets.
  EOT
  type = object({
    ca_pem                    = string
    certificates              = map(object({ certificate_pem = string, private_key_pem = string }))
    consul_gossip_key         = string
    nomad_gossip_key          = string
    consul_management_token   = string
    consul_agent_tokens       = map(string)
    consul_nomad_server_token = string
    consul_nomad_client_token = string
    consul_fabio_token        = string
  })
  sensitive = true

  validation {
    condition = alltrue([
      for pem in concat([var.material.ca_pem], [for pair in var.material.certificates : pair.certificate_pem]) :
      startswith(trimspace(pem), "-----BEGIN CERTIFICATE-----")
    ])
    error_message = "`ca_pem` and each `certificate_pem` are certificates as PEM text, not as names of files."
  }

  validation {
    condition = alltrue([
      for pair in var.material.certificates :
      can(regex("^-----BEGIN ((EC|RSA) )?PRIVATE KEY-----", trimspace(pair.private_key_pem))) && !strcontains(pair.private_key_pem, "ENCRYPTED")
    ])
    error_message = "Each `private_key_pem` is a private key as PEM text, without a passphrase."
  }

  validation {
    # base64decode cannot check this: it decodes text only.
    condition = alltrue([
      for key in [var.material.consul_gossip_key, var.material.nomad_gossip_key] : can(regex("^[A-Za-z0-9+/]{43}=$", key))
    ])
    error_message = "A gossip key is 32 random bytes as base64: `openssl rand -base64 32`, or `consul keygen`."
  }

  validation {
    condition = alltrue([
      for token in concat(values(var.material.consul_agent_tokens), [
        var.material.consul_management_token, var.material.consul_nomad_server_token,
        var.material.consul_nomad_client_token, var.material.consul_fabio_token,
      ]) : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", token))
    ])
    error_message = "A Consul token is a UUID in lower case: `uuidgen`."
  }
}

variable "fetch_secrets" {
  description = <<-EOT
    By node, a shell command line that prints the node's part of `secret_bundles` on standard output, as JSON. It is part
    of the user data, and runs as root: on the first boot, and when somebody starts `clipper-nomad-start` by hand. curl
    and python3 are installed. Without it, put the secret files in place by other means before the services start.
  EOT
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "registry_logins" {
  description = "By registry, as in the names of images (rg.fr-par.scw.cloud): the login with which clients pull its images."
  type        = map(object({ username = string, password = string }))
  default     = {}
  sensitive   = true

  validation {
    condition     = alltrue([for registry in keys(var.registry_logins) : can(regex("^[a-z0-9]([-.a-z0-9]*[a-z0-9])?(:[0-9]+)?$", registry))])
    error_message = "Name a registry by its host, with its port if it has one, as in images' names: no https://, no path."
  }
}
