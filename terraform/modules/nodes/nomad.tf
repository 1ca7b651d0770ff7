# Nomad: the settings that servers and clients share. nomad_server.tf and nomad_client.tf have the rest.
locals {
  nomad_nodes = merge(local.servers, local.clients)

  nomad_config = {
    for name, node in local.nomad_nodes : name => {
      name       = name
      region     = var.region
      datacenter = var.datacenter
      data_dir   = "${local.roots[name]}/opt/nomad"

      bind_addr = node.address
      advertise = { http = node.address, rpc = node.address, serf = node.address }

      # A restart is no departure: the tasks run on meanwhile.
      leave_on_interrupt   = false
      leave_on_terminate   = false
      disable_update_check = true

      consul = { address = "127.0.0.1:8500" }
      acl    = { enabled = true }
      tls = {
        http                   = true
        rpc                    = true
        ca_file                = local.tls_paths[name].ca
        cert_file              = local.tls_paths[name].cert
        key_file               = local.tls_paths[name].key
        verify_server_hostname = true
        # Clients identify themselves by a token; and Consul checks Nomad's HTTP without a certificate.
        verify_https_client = false
      }
      telemetry = {
        prometheus_metrics         = true
        publish_allocation_metrics = true
        publish_node_metrics       = true
        disable_hostname           = true
      }
    }
  }

  nomad_role_config = merge(local.nomad_server_config, local.nomad_client_config)

  nomad_secrets = {
    for name, node in local.nomad_nodes : name => merge(
      { consul = { token = node.role == "server" ? var.material.consul_nomad_server_token : var.material.consul_nomad_client_token } },
      { for key, value in { server = { encrypt = var.material.nomad_gossip_key } } : key => value if node.role == "server" },
    )
  }

  nomad_files = {
    for name, node in local.nomad_nodes : name => {
      "${local.roots[name]}/etc/nomad.d/nomad.json" = {
        content = templatefile("${path.module}/templates/json.tftpl", { object = merge(local.nomad_config[name], local.nomad_role_config[name]) })
        mode    = "0644"
        owner   = "root:root"
      }
      # Replaces the package's example, which would be read too.
      "${local.roots[name]}/etc/nomad.d/nomad.hcl" = {
        content = "# Nothing: nomad.json and secrets.json configure this agent.\n"
        mode    = "0644"
        owner   = "root:root"
      }
      "${local.roots[name]}/etc/systemd/system/nomad.service" = {
        content = templatefile("${path.module}/templates/nomad.service.tftpl", { root = local.roots[name], role = node.role })
        mode    = "0644"
        owner   = "root:root"
      }
    }
  }

  nomad_secret_files = {
    for name, node in local.nomad_nodes : name => {
      "${local.roots[name]}/etc/nomad.d/secrets.json" = {
        content = templatefile("${path.module}/templates/json.tftpl", { object = local.nomad_secrets[name] })
        mode    = "0640"
        # A client runs as root.
        owner = node.role == "server" ? "root:nomad" : "root:root"
      }
    }
  }
}
