# One certificate per node, for Consul and Nomad alike. It is fetched with the secrets, though only its key is one: so
# user data does not change with it, and certificates are renewed in place. `systemctl reload consul nomad` reads them.
locals {
  tls_paths = {
    for name, root in local.roots : name => {
      ca   = "${root}/etc/clipper-nomad/tls/ca.pem"
      cert = "${root}/etc/clipper-nomad/tls/node.pem"
      key  = "${root}/etc/clipper-nomad/tls/node-key.pem"
    }
  }

  # Consul runs as its own user; a Nomad server as another, whose unit adds Consul's group.
  tls_files = {
    for name, paths in local.tls_paths : name => {
      (paths.ca)   = { content = var.material.ca_pem, mode = "0644", owner = "root:consul" }
      (paths.cert) = { content = try(var.material.certificates[name].certificate_pem, ""), mode = "0644", owner = "root:consul" }
      (paths.key)  = { content = try(var.material.certificates[name].private_key_pem, ""), mode = "0640", owner = "root:consul" }
    }
  }
}
