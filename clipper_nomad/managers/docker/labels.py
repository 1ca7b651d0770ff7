"""The names of a cluster's containers, and the labels that carry its record from process to process.

Names join their parts by dots, which no part may contain, so two different lists of parts never give the same
name. A name is also the container's address on the cluster's network. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.types import ClusterSpec, Device, ModelVersion, Resources

CLUSTER = "clipper-nomad.cluster"
COMPONENT = "clipper-nomad.component"
PROJECT_VERSION = "clipper-nomad.version"
DEFINITION_HASH = "clipper-nomad.definition-hash"
INDEX = "clipper-nomad.index"
RECORD = "clipper-nomad.settings"
SPEC = "clipper-nomad.spec"
MODEL_NAME = "clipper-nomad.model-name"
MODEL_VERSION = "clipper-nomad.model-version"
MODEL = "clipper-nomad.model"

REDIS = "redis"
QUERY_FRONTEND = "query-frontend"
MANAGEMENT_FRONTEND = "management-frontend"
REPLICA = "model"
#: Stands for a version that is deployed with no replicas; never started.
PLACEHOLDER = "model-placeholder"

_T = TypeVar("_T")
_PREFIX = "clipper"


@dataclass(frozen=True)
class ClusterRecord:
    """The record of a cluster's start; its frontends carry it in a label.

    `redis_ip` is None if the cluster runs a Redis of its own.
    """

    version: str
    docker_ip: str
    network: str
    query_port: int
    management_port: int
    rpc_port: int
    redis_ip: str | None
    redis_port: int


@dataclass(frozen=True)
class ModelRecord:
    """A deployed version. `image` is deploy()'s argument, `image_id` the image that it named at that time."""

    model: ModelVersion
    input_type: str
    image: str
    image_id: str
    rpc_addresses: tuple[str, ...]
    resources: Resources = field(default_factory=Resources)
    devices: tuple[Device, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def join(*parts: str | int) -> str:
    """Return the name of a part of a cluster; the first of the parts is the cluster's name."""
    return ".".join([_PREFIX, *map(str, parts)])


def query_frontend_name(cluster_name: str, index: int) -> str:
    """Return the name of a query frontend."""
    return join(cluster_name, QUERY_FRONTEND, index)


def replica_name(cluster_name: str, model: ModelVersion, index: int) -> str:
    """Return the name of a replica."""
    return join(cluster_name, REPLICA, model.name, model.version, index)


def placeholder_name(cluster_name: str, model: ModelVersion) -> str:
    """Return the name of the container that stands for a version without replicas."""
    return join(cluster_name, PLACEHOLDER, model.name, model.version)


def of_cluster(cluster_name: str, component: str, version: str, index: int | None = None) -> dict[str, str]:
    """Return the labels that each container of a cluster has."""
    found = {CLUSTER: cluster_name, COMPONENT: component, PROJECT_VERSION: version}
    return found if index is None else {**found, INDEX: str(index)}


def of_model(model: ModelRecord) -> dict[str, str]:
    """Return the labels that carry the version that a container serves, and the record to make more."""
    return {
        MODEL_NAME: model.model.name,
        MODEL_VERSION: model.model.version,
        MODEL: msgspec.json.encode(model).decode(),
    }


def of_record(record: ClusterRecord) -> dict[str, str]:
    """Return the label that carries a cluster's record."""
    return {RECORD: msgspec.json.encode(record).decode()}


def of_spec(spec: ClusterSpec) -> dict[str, str]:
    """Return the label that carries a query frontend's settings, without the number of query frontends.

    They are counted, so that another number replaces none of them.
    """
    return {SPEC: msgspec.json.encode(replace(spec, num_query_frontends=1), order="deterministic").decode()}


def read_spec(found: Mapping[str, str], num_query_frontends: int) -> ClusterSpec:
    """Return the settings that labels carry, by default all defaults, for so many query frontends."""
    spec = _read(found, SPEC, ClusterSpec) if SPEC in found else ClusterSpec()
    return replace(spec, num_query_frontends=num_query_frontends)


def read_record(found: Mapping[str, str]) -> ClusterRecord:
    """Return the record that labels carry. Raises ContainerManagerError if it cannot be read."""
    return _read(found, RECORD, ClusterRecord)


def read_model(found: Mapping[str, str]) -> ModelRecord:
    """Return the deployed version that labels carry. Raises ContainerManagerError as read_record() does."""
    return _read(found, MODEL, ModelRecord)


def _read(found: Mapping[str, str], key: str, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(found.get(key, ""), type=kind)
    except msgspec.DecodeError as error:
        raise ContainerManagerError(
            f"The label {key} of a container of cluster {found.get(CLUSTER)!r} cannot be read ({error}): "
            "another version of clipper-nomad made it. Use that version, or stop the cluster first."
        ) from error
