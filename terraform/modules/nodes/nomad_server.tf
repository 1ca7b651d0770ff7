locals {
  nomad_server_config = {
    for name, node in local.servers : name => {
      # On all addresses, for administration from elsewhere; the network decides who reaches it.
      addresses = { http = "0.0.0.0" }
      server = {
        enabled          = true
        bootstrap_expect = length(local.servers)
        server_join = {
          retry_join     = [for address in local.server_addresses : address if address != node.address]
          retry_interval = "1s"
        }

        # A silent client is down after about four seconds, not twenty, and its tasks start elsewhere.
        heartbeat_grace   = "2s"
        min_heartbeat_ttl = "2s"
        # After a change of leader (default: five minutes): a client may be lost together with the leader.
        failover_heartbeat_ttl = "15s"

        # The setting at the cluster's start; `nomad operator scheduler` changes it later.
        default_scheduler_config = { memory_oversubscription_enabled = true }
      }
    }
  }
}
