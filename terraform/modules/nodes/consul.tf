# Consul: a server on servers, and an agent of its own on every other node, which answers DNS and HTTP on loopback alone.
locals {
  consul_config = {
    for name, node in var.nodes : name => {
      node_name  = name
      datacenter = var.datacenter
      data_dir   = "${local.roots[name]}/opt/consul"
      server     = node.role == "server"
      bind_addr  = node.address
      node_meta  = { for key, value in { cluster = var.name, role = node.role, zone = node.zone } : key => value if value != null }

      # Without the node itself: it would count as joined, and no other node would be tried again.
      retry_join     = [for address in local.server_addresses : address if address != node.address]
      retry_interval = "1s"
      # A restart is no departure: leaving would remove a node's services from the catalogue, and a server from the quorum.
      leave_on_terminate      = false
      skip_leave_on_interrupt = true

      # Elections within a second or two; Consul's default takes five times as long.
      performance = { raft_multiplier = 1 }

      tls = {
        defaults = {
          ca_file         = local.tls_paths[name].ca
          cert_file       = local.tls_paths[name].cert
          key_file        = local.tls_paths[name].key
          verify_outgoing = true
          # For HTTPS: clients identify themselves by a token.
          verify_incoming = false
        }
        internal_rpc = { verify_incoming = true, verify_server_hostname = true }
      }
      acl = { enabled = true, default_policy = "deny" }

      disable_update_check = true
      telemetry            = { prometheus_retention_time = "10m", disable_hostname = true }
    }
  }

  consul_ports     = { http = 8500, dns = 8600, grpc = -1, serf_wan = -1 }
  consul_addresses = { http = "127.0.0.1", dns = "127.0.0.1" }

  consul_role_config = {
    for name, node in var.nodes : name => merge(
      { ports = local.consul_ports, addresses = local.consul_addresses },
      # The same keys again, for servers.
      {
        for key, value in {
          bootstrap_expect = length(local.servers)
          ui_config        = { enabled = true }
          ports            = merge(local.consul_ports, { https = 8501 })
          addresses        = merge(local.consul_addresses, { https = "0.0.0.0" })
        } : key => value if node.role == "server"
      },
    )
  }

  consul_tokens = {
    for name, node in var.nodes : name => merge(
      { agent = lookup(var.material.consul_agent_tokens, name, "") },
      { for key, value in { initial_management = var.material.consul_management_token } : key => value if node.role == "server" },
    )
  }

  consul_secrets = {
    for name, node in var.nodes : name => merge(
      { encrypt = var.material.consul_gossip_key, acl = { tokens = local.consul_tokens[name] } },
      { for key, value in { services = try([local.fabio_service[name]], []) } : key => value if node.role == "edge" },
    )
  }

  consul_files = {
    for name, root in local.roots : name => {
      "${root}/etc/consul.d/consul.json" = {
        content = templatefile("${path.module}/templates/json.tftpl", { object = merge(local.consul_config[name], local.consul_role_config[name]) })
        mode    = "0644"
        owner   = "root:root"
      }
      # Replaces the package's example, which would be read too.
      "${root}/etc/consul.d/consul.hcl" = {
        content = "# Nothing: consul.json and secrets.json configure this agent.\n"
        mode    = "0644"
        owner   = "root:root"
      }
      "${root}/etc/systemd/system/consul.service" = {
        content = templatefile("${path.module}/templates/consul.service.tftpl", {
          root = root
          # Consul tells systemd that it is ready when it has joined another agent, which a lone server never has.
          type = length(local.consul_config[name].retry_join) > 0 ? "notify" : "exec"
        })
        mode  = "0644"
        owner = "root:root"
      }
    }
  }

  consul_secret_files = {
    for name, root in local.roots : name => {
      "${root}/etc/consul.d/secrets.json" = {
        content = templatefile("${path.module}/templates/json.tftpl", { object = local.consul_secrets[name] })
        mode    = "0640"
        owner   = "root:consul"
      }
    }
  }
}
