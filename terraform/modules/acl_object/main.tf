# One object of Consul's or Nomad's ACLs: put when it is new or changes, deleted when it is no longer wanted.
# It uses only what OpenTofu and Terraform have built in, so that securing a cluster downloads nothing.

locals {
  # The file that a put writes and `secret` reads. The id is not known before, so that it is not read too early.
  secret_file = var.makes_secret ? "${path.root}/.clipper-nomad/${terraform_data.put.id}" : ""
}

# Deletes the object. It is a resource apart from the put: a failed put taints its resource, and a tainted resource is
# destroyed without its provisioner.
resource "terraform_data" "deletion" {
  # Kept here, since the destroy provisioner sees only its own resource; plans would show `input`, secrets too.
  triggers_replace = { token = var.management_token }

  input = {
    ACL_ADDRESS     = var.api.address
    ACL_SERVER_NAME = var.api.server_name == null ? "" : var.api.server_name
    ACL_CA_PEM      = var.api.ca_pem
    ACL_WAIT_S      = var.api.wait_s
    ACL_KIND        = var.kind
    ACL_ID          = var.id
  }

  lifecycle {
    # A resource replaced like this does not run its destroy provisioner: a new management token deletes nothing.
    create_before_destroy = true
  }

  provisioner "local-exec" {
    when    = destroy
    command = "exec sh \"$ACL_SCRIPT\" delete"
    environment = merge(self.input, {
      ACL_SCRIPT = "${path.module}/acl.sh"
      ACL_TOKEN  = self.triggers_replace.token
    })
  }
}

resource "terraform_data" "put" {
  depends_on = [terraform_data.deletion]

  triggers_replace = { token = var.management_token, body = var.body }

  provisioner "local-exec" {
    command = "exec sh \"$ACL_SCRIPT\" put"
    environment = merge(terraform_data.deletion.input, {
      ACL_SCRIPT      = "${path.module}/acl.sh"
      ACL_TOKEN       = var.management_token
      ACL_BODY        = var.body
      ACL_SECRET_FILE = var.makes_secret ? "${path.root}/.clipper-nomad/${self.id}" : ""
    })
  }
}

# Nomad chooses its tokens' secrets itself (before 2.0 always), and a provisioner returns nothing. So the script leaves
# the secret in a file, which is read once, when the token is new, and deleted: from then on the state has it, and
# whoever has the state can apply from another machine. `triggers_replace` is where it is kept, for the same reason.
resource "terraform_data" "secret" {
  count = var.makes_secret ? 1 : 0

  triggers_replace = sensitive(try(trimspace(file(local.secret_file)), null))

  lifecycle {
    ignore_changes       = [triggers_replace]
    replace_triggered_by = [terraform_data.put.id]

    postcondition {
      condition     = self.triggers_replace != null
      error_message = "The secret of token ${var.id} is lost: `-replace` its terraform_data.put to have another one."
    }
  }

  provisioner "local-exec" {
    command     = "rm -f \"$ACL_SECRET_FILE\""
    environment = { ACL_SECRET_FILE = local.secret_file }
  }
}
