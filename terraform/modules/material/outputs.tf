output "material" {
  description = "The secrets of a cluster, in the form of the variable `material` of modules/nodes."
  sensitive   = true
  value = {
    ca_pem = tls_self_signed_cert.ca.cert_pem
    certificates = {
      for name in keys(var.nodes) : name => {
        certificate_pem = tls_locally_signed_cert.node[name].cert_pem
        private_key_pem = tls_private_key.node[name].private_key_pem
      }
    }
    consul_gossip_key         = random_bytes.gossip_key["consul"].base64
    nomad_gossip_key          = random_bytes.gossip_key["nomad"].base64
    consul_management_token   = random_uuid.token["consul-management"].result
    consul_agent_tokens       = { for name in keys(var.nodes) : name => random_uuid.consul_agent_token[name].result }
    consul_nomad_server_token = random_uuid.token["consul-nomad-server"].result
    consul_nomad_client_token = random_uuid.token["consul-nomad-client"].result
    consul_fabio_token        = random_uuid.token["consul-fabio"].result
  }
}

output "ca_pem" {
  description = "The certificate authority's certificate, which is not secret."
  value       = tls_self_signed_cert.ca.cert_pem
}

output "nomad_bootstrap_token" {
  description = "The secret of Nomad's management token, with which access/ bootstraps Nomad's ACLs. It is on no node."
  value       = random_uuid.token["nomad-bootstrap"].result
  sensitive   = true
}
