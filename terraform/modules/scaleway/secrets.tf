# Each node's secrets are one secret of Scaleway's Secret Manager, which the node fetches when it boots. The key for that
# is in its user data: it can only read secrets, and only for bootstrap_key_minutes.
#
# Scaleway's rights hold for whole projects, not for single secrets. While it is valid, the key reads all secrets of the
# project: give the cluster a project of its own.
#
# A new key is made when nodes are added or removed. To replace a node, replace the key too:
#   tofu apply -replace='module.scaleway.terraform_data.bootstrap' -replace='module.scaleway.scaleway_instance_server.node["NAME"]'

resource "scaleway_secret" "node" {
  for_each = local.nodes

  name        = each.key
  path        = "/${var.name}"
  description = "Certificates, gossip keys and tokens of the node ${each.key}"
  tags        = [var.name]
}

resource "scaleway_secret_version" "node" {
  for_each = local.nodes

  secret_id = scaleway_secret.node[each.key].id
  data      = var.secret_bundles[each.key]
}

resource "scaleway_iam_application" "bootstrap" {
  name        = "${var.name}-bootstrap"
  description = "New nodes of the cluster ${var.name} fetch their secrets"
  tags        = [var.name]
}

resource "scaleway_iam_policy" "bootstrap" {
  name           = "${var.name}-bootstrap"
  description    = "Read secrets, and nothing else"
  application_id = scaleway_iam_application.bootstrap.id
  tags           = [var.name]

  rule {
    project_ids          = [scaleway_vpc.this.project_id]
    permission_set_names = ["SecretManagerSecretAccess"]
  }
}

# The time at which the key was made. It stays until this is replaced, so an apply that adds no node changes nothing.
resource "terraform_data" "bootstrap" {
  input            = timestamp()
  triggers_replace = [keys(local.nodes), var.bootstrap_key_minutes]

  lifecycle {
    ignore_changes = [input]
  }
}

resource "scaleway_iam_api_key" "bootstrap" {
  application_id     = scaleway_iam_application.bootstrap.id
  default_project_id = scaleway_vpc.this.project_id
  description        = "New nodes of the cluster ${var.name} fetch their secrets"
  expires_at         = timeadd(terraform_data.bootstrap.output, "${var.bootstrap_key_minutes}m")
}

locals {
  decode = "import base64, json, sys; sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)['data']))"

  # The key goes through a pipe: everybody on the node can read a command's arguments. The provider's id is REGION/ID.
  fetch_secrets = {
    for name, secret in scaleway_secret.node : name => join(" | ", [
      "printf 'X-Auth-Token: %s' '${scaleway_iam_api_key.bootstrap.secret_key}'",
      join(" ", [
        "curl --silent --show-error --fail --max-time 30 --header @-",
        "https://api.scaleway.com/secret-manager/v1beta1/regions/${var.region}/secrets/${basename(secret.id)}/versions/latest_enabled/access",
      ]),
      "python3 -c \"${local.decode}\"",
    ])
  }
}
