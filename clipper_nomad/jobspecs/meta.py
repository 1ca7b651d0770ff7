"""The words by which a cluster's jobs are found again: components, and the keys of a job's `meta`."""

from __future__ import annotations

REDIS = "redis"
QUERY_FRONTEND = "query-frontend"
MANAGEMENT_FRONTEND = "management-frontend"
MODEL = "model"
#: Each is the `component` of a job, and the name of its one group and of the group's one task.
COMPONENTS = (REDIS, QUERY_FRONTEND, MANAGEMENT_FRONTEND, MODEL)

CLUSTER = "clipper-nomad.cluster"
COMPONENT = "clipper-nomad.component"
VERSION = "clipper-nomad.version"
MODEL_NAME = "clipper-nomad.model.name"
MODEL_VERSION = "clipper-nomad.model.version"

#: In the meta of a model's Consul service, whose keys may have no dots in Consul.
SERVICE_MODEL = "model"
SERVICE_MODEL_VERSION = "model_version"
