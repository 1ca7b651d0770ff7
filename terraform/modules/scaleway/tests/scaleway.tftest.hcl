# Providers look at the form of ids even where they are mocked.
mock_provider "scaleway" {
  mock_resource "scaleway_vpc" {
    defaults = { id = "fr-par/11111111-2222-3333-4444-555555555555", project_id = "11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "scaleway_vpc_private_network" {
    defaults = { id = "fr-par/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "scaleway_ipam_ip" {
    defaults = { id = "fr-par/11111111-2222-3333-4444-555555555555", address = "10.64.0.10" }
  }
  mock_resource "scaleway_instance_ip" {
    defaults = { id = "fr-par-1/11111111-2222-3333-4444-555555555555", address = "198.51.100.10" }
  }
  mock_resource "scaleway_instance_server" {
    defaults = { id = "fr-par-1/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "scaleway_instance_placement_group" {
    defaults = { id = "fr-par-1/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "scaleway_lb" {
    defaults = { id = "fr-par-1/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "scaleway_lb_ip" {
    defaults = { id = "fr-par-1/11111111-2222-3333-4444-555555555555", ip_address = "198.51.100.100" }
  }
  mock_resource "scaleway_lb_backend" {
    defaults = { id = "fr-par-1/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "scaleway_lb_certificate" {
    defaults = { id = "fr-par-1/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "scaleway_iam_application" {
    defaults = { id = "11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "scaleway_iam_api_key" {
    defaults = { secret_key = "THE-API-KEY" }
  }
  mock_resource "scaleway_secret" {
    defaults = { id = "fr-par/11111111-2222-3333-4444-555555555555" }
  }
}

override_resource {
  target = scaleway_instance_security_group.server
  values = { id = "fr-par-1/aaaaaaaa-2222-3333-4444-555555555555" }
}

override_resource {
  target = scaleway_instance_security_group.other
  values = { id = "fr-par-1/bbbbbbbb-2222-3333-4444-555555555555" }
}

variables {
  name         = "test"
  region       = "fr-par"
  zones        = ["fr-par-1", "fr-par-2"]
  private_cidr = "10.64.0.0/22"
  servers      = { type = "DEV1-S", image = "ubuntu_noble", volume_gb = 20 }
  edge         = { count = 2, type = "DEV1-S", image = "ubuntu_noble", volume_gb = 10 }
  pools = {
    cpu = { count = 2, type = "DEV1-L", image = "ubuntu_noble", volume_gb = 50 }
    gpu = { count = 1, type = "L4-1-24G", image = "ubuntu_noble_gpu_os_13_nvidia", volume_gb = 150, zones = ["fr-par-2"] }
  }
  admin_cidrs           = ["203.0.113.0/24"]
  ssh_keys              = { anna = "ssh-ed25519 AAAA anna" }
  domain                = "models.example.com"
  dns_zone              = "example.com"
  public_paths          = ["/clipper/"]
  load_balancer_type    = "LB-S"
  fabio                 = { http_port = 9999, ui_port = 9998 }
  registry_name         = "test-images"
  bootstrap_key_minutes = 60
  user_data = {
    test-server-1 = "s1", test-server-2 = "s2", test-server-3 = "s3", test-edge-1 = "e1", test-edge-2 = "e2",
    test-cpu-1    = "c1", test-cpu-2 = "c2", test-gpu-1 = "g1",
  }
  secret_bundles = {
    test-server-1 = "S1", test-server-2 = "S2", test-server-3 = "S3", test-edge-1 = "E1", test-edge-2 = "E2",
    test-cpu-1    = "C1", test-cpu-2 = "C2", test-gpu-1 = "G1",
  }
}

run "nodes_are_spread_over_zones" {
  assert {
    condition     = join(" ", [for number in [1, 2, 3] : output.nodes["test-server-${number}"].zone]) == "fr-par-1 fr-par-2 fr-par-1"
    error_message = "Three servers over two zones in turn, not ${jsonencode(output.nodes)}."
  }

  assert {
    condition     = output.nodes["test-gpu-1"].zone == "fr-par-2" && output.nodes["test-gpu-1"].pool == "gpu"
    error_message = "A pool's own zones win."
  }

  assert {
    condition     = alltrue([for name, node in output.nodes : scaleway_instance_server.node[name].zone == node.zone && scaleway_instance_ip.node[name].zone == node.zone])
    error_message = "An instance and its public address are in the node's zone."
  }

  assert {
    condition     = scaleway_instance_server.node["test-gpu-1"].type == "L4-1-24G" && scaleway_instance_server.node["test-gpu-1"].image == "ubuntu_noble_gpu_os_13_nvidia"
    error_message = "The pool's type and image are its instances'."
  }

  assert {
    condition     = join(" ", keys(scaleway_instance_placement_group.this)) == "test-cpu-fr-par-1-1 test-cpu-fr-par-2-1 test-edge-fr-par-1-1 test-edge-fr-par-2-1 test-gpu-fr-par-2-1 test-server-fr-par-1-1 test-server-fr-par-2-1"
    error_message = "A placement group for each group of nodes and zone, not ${jsonencode(keys(scaleway_instance_placement_group.this))}."
  }
}

run "more_than_twenty_of_a_zone_have_several_placement_groups" {
  command = plan

  variables {
    zones = ["fr-par-1"]
    pools = { cpu = { count = 21, type = "DEV1-L", image = "ubuntu_noble", volume_gb = 50 } }
    user_data = merge(
      { for number in range(1, 22) : "test-cpu-${number}" => "x" },
      { test-server-1 = "", test-server-2 = "", test-server-3 = "", test-edge-1 = "", test-edge-2 = "" },
    )
    secret_bundles = merge(
      { for number in range(1, 22) : "test-cpu-${number}" => "x" },
      { test-server-1 = "", test-server-2 = "", test-server-3 = "", test-edge-1 = "", test-edge-2 = "" },
    )
  }

  assert {
    condition     = join(" ", [for name in keys(scaleway_instance_placement_group.this) : name if startswith(name, "test-cpu")]) == "test-cpu-fr-par-1-1 test-cpu-fr-par-1-2"
    error_message = "21 nodes in one zone need two placement groups, not ${jsonencode(keys(scaleway_instance_placement_group.this))}."
  }
}

run "nothing_is_open_but_to_administrators" {
  assert {
    condition = alltrue([
      for group in concat(values(scaleway_instance_security_group.server), values(scaleway_instance_security_group.other)) :
      group.inbound_default_policy == "drop" && group.stateful
    ])
    error_message = "What is not asked for is dropped."
  }

  assert {
    condition = alltrue(flatten([
      for group in concat(values(scaleway_instance_security_group.server), values(scaleway_instance_security_group.other)) :
      [for rule in group.inbound_rule : rule.ip_range == "203.0.113.0/24"]
    ]))
    error_message = "Rules are for admin_cidrs alone."
  }

  assert {
    condition     = join(" ", sort([for rule in scaleway_instance_security_group.server["fr-par-1"].inbound_rule : tostring(rule.port)])) == "22 4646 8501"
    error_message = "Administrators reach the servers' SSH and the two APIs."
  }

  assert {
    condition     = join(" ", [for rule in scaleway_instance_security_group.other["fr-par-1"].inbound_rule : rule.port]) == "22"
    error_message = "Of other nodes they reach SSH only."
  }

  assert {
    condition = alltrue([
      for name, node in output.nodes :
      (scaleway_instance_server.node[name].security_group_id == "fr-par-1/aaaaaaaa-2222-3333-4444-555555555555") == (node.role == "server")
    ])
    error_message = "Servers, and only they, are in the servers' security group."
  }
}

run "without_administrators_nothing_is_open" {
  variables {
    admin_cidrs = []
    ssh_keys    = {}
  }

  assert {
    condition = alltrue([
      for group in concat(values(scaleway_instance_security_group.server), values(scaleway_instance_security_group.other)) :
      length(group.inbound_rule) == 0
    ])
    error_message = "No rule is left."
  }
}

run "without_keys_ssh_is_closed" {
  variables {
    ssh_keys = {}
  }

  assert {
    condition     = join(" ", sort([for rule in scaleway_instance_security_group.server["fr-par-1"].inbound_rule : tostring(rule.port)])) == "4646 8501"
    error_message = "Administrators reach the two APIs, and no SSH."
  }

  assert {
    condition     = length(scaleway_instance_security_group.other["fr-par-1"].inbound_rule) == 0
    error_message = "Nothing of another node is open."
  }
}

run "the_edge_is_https_and_its_paths" {
  assert {
    condition     = join(" ", [for frontend in concat(scaleway_lb_frontend.https, scaleway_lb_frontend.http) : frontend.inbound_port]) == "443 80"
    error_message = "The world reaches 443 and 80, and nothing else."
  }

  assert {
    condition     = scaleway_lb_frontend.http[0].acl[0].action[0].type == "redirect" && scaleway_lb_frontend.http[0].acl[0].action[0].redirect[0].target == "https"
    error_message = "HTTP is only redirected."
  }

  assert {
    condition = (
      scaleway_lb_frontend.https[0].acl[0].action[0].type == "deny" && scaleway_lb_frontend.https[0].acl[0].match[0].invert &&
      join(" ", scaleway_lb_frontend.https[0].acl[0].match[0].http_filter_value) == "/clipper/"
    )
    error_message = "All but public_paths is denied."
  }

  assert {
    condition     = length(scaleway_lb_frontend.https[0].certificate_ids) == 1 && scaleway_lb_certificate.edge[0].letsencrypt[0].common_name == "models.example.com"
    error_message = "443 has the domain's certificate."
  }

  assert {
    condition     = scaleway_lb_backend.fabio.forward_port == 9999 && scaleway_lb_backend.fabio.health_check_port == 9998 && length(scaleway_lb_backend.fabio.server_ips) == 2
    error_message = "Behind it are the HTTP ports of both nodes of the edge, as far as Fabio says that it is well."
  }

  assert {
    condition     = scaleway_domain_record.edge[0].name == "models" && scaleway_domain_record.edge[0].dns_zone == "example.com"
    error_message = "The record is the domain's within the zone."
  }
}

run "without_a_domain_nothing_is_public" {
  variables {
    domain   = null
    dns_zone = null
  }

  assert {
    condition     = length(concat(scaleway_lb_frontend.https, scaleway_lb_frontend.http, scaleway_lb_certificate.edge, scaleway_domain_record.edge)) == 0
    error_message = "There is neither a frontend nor a certificate."
  }
}

run "secrets_go_by_the_store" {
  assert {
    condition     = join(" ", keys(scaleway_secret.node)) == join(" ", keys(output.nodes)) && alltrue([for name in keys(output.nodes) : nonsensitive(scaleway_secret_version.node[name].data) == var.secret_bundles[name]])
    error_message = "Each node has one secret, with its own bundle."
  }

  assert {
    condition     = alltrue([for name in keys(output.nodes) : nonsensitive(scaleway_instance_server.node[name].user_data["cloud-init"]) == var.user_data[name]])
    error_message = "A node's user data is what was made for it, and no more."
  }

  assert {
    condition     = join(" ", scaleway_iam_policy.bootstrap.rule[0].permission_set_names) == "SecretManagerSecretAccess"
    error_message = "The bootstrap key reads secrets, and nothing else."
  }

  assert {
    condition     = timecmp(scaleway_iam_api_key.bootstrap.expires_at, timeadd(terraform_data.bootstrap.output, "60m")) == 0
    error_message = "The bootstrap key expires 60 minutes after it was made."
  }

  assert {
    condition = nonsensitive(output.fetch_secrets["test-cpu-1"]) == join("", [
      "printf 'X-Auth-Token: %s' 'THE-API-KEY' | curl --silent --show-error --fail --max-time 30 --header @- ",
      "https://api.scaleway.com/secret-manager/v1beta1/regions/fr-par/secrets/11111111-2222-3333-4444-555555555555/versions/latest_enabled/access | ",
      "python3 -c \"import base64, json, sys; sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)['data']))\"",
    ])
    error_message = "The command asks for the node's secret: ${nonsensitive(output.fetch_secrets["test-cpu-1"])}"
  }
}

run "images_are_private" {
  assert {
    condition     = !scaleway_registry_namespace.this.is_public && scaleway_registry_namespace.this.name == "test-images"
    error_message = "The registry's namespace is private."
  }

  assert {
    condition     = join(" ", scaleway_iam_policy.pull.rule[0].permission_set_names) == "ContainerRegistryReadOnly"
    error_message = "Nodes pull images, and do nothing else."
  }
}

run "a_zone_twice_is_refused" {
  command = plan

  variables {
    zones = ["fr-par-1", "fr-par-1"]
  }

  expect_failures = [var.zones]
}
