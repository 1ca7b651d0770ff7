# The registry of images. People push with keys of their own; nodes pull with a key that can do nothing else. That key
# does not expire, since nodes pull whenever a job is placed; after a `-replace` of it, replace the nodes too.

resource "scaleway_registry_namespace" "this" {
  name        = var.registry_name
  description = "Images of the cluster ${var.name}"
  is_public   = false
}

resource "scaleway_iam_application" "pull" {
  name        = "${var.name}-pull"
  description = "Nodes of the cluster ${var.name} pull images"
  tags        = [var.name]
}

resource "scaleway_iam_policy" "pull" {
  name           = "${var.name}-pull"
  description    = "Pull images, and nothing else"
  application_id = scaleway_iam_application.pull.id
  tags           = [var.name]

  rule {
    project_ids          = [scaleway_vpc.this.project_id]
    permission_set_names = ["ContainerRegistryReadOnly"]
  }
}

resource "scaleway_iam_api_key" "pull" {
  application_id     = scaleway_iam_application.pull.id
  default_project_id = scaleway_vpc.this.project_id
  description        = "Nodes of the cluster ${var.name} pull images"
}
