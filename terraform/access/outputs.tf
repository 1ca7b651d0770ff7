output "environment" {
  description = "The variables with which the admin library and the tools of Nomad and Consul find the cluster: see `clipper-nomad env`."
  sensitive   = true
  value = tomap(merge(
    { for name, value in {
      CLIPPER_MANAGER         = "nomad"
      NOMAD_ADDR              = var.nomad_address
      NOMAD_TOKEN             = module.nomad_tokens["clipper-library"].secret
      NOMAD_TLS_SERVER_NAME   = var.nomad_tls_server_name
      CONSUL_HTTP_ADDR        = var.consul_address
      CONSUL_HTTP_TOKEN       = module.consul_library_token.secret
      CONSUL_TLS_SERVER_NAME  = var.consul_tls_server_name
      CLIPPER_FABIO_ADDRESS   = var.fabio.address
      CLIPPER_FABIO_HTTP_PORT = tostring(var.fabio.http_port)
      CLIPPER_FABIO_TCP_PORT  = tostring(var.fabio.tcp_port)
      CLIPPER_REDIS_VOLUME    = var.redis_volume
      CLIPPER_REGISTRY        = var.registry
    } : name => value if value != null },
    var.environment
  ))

  precondition {
    condition     = toset(keys(var.consul_agent_tokens)) == toset(keys(var.nodes))
    error_message = "consul_agent_tokens needs one token for each of `nodes`, and no other."
  }
}

output "ca_pem" {
  description = "The certificate authority of Nomad's and Consul's certificates, in PEM."
  value       = var.ca_pem
}

output "tokens" {
  description = "The tokens of people: management has all rights, library those of the admin library, observer reads."
  sensitive   = true
  value = {
    nomad_management  = var.nomad_bootstrap_token
    nomad_library     = module.nomad_tokens["clipper-library"].secret
    nomad_observer    = module.nomad_tokens["clipper-observer"].secret
    consul_management = var.consul_management_token
    consul_library    = module.consul_library_token.secret
  }
}
