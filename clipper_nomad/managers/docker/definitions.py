"""The containers of a cluster: environments, ports, limits, labels.

Pure functions from a cluster's record to the definitions that the engine creates containers from.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from clipper_container.threads import CPU_LIMIT
from clipper_nomad.errors import ClipperWarning, ContainerManagerError
from clipper_nomad.managers.docker import labels
from clipper_nomad.managers.docker.labels import ClusterRecord, ModelRecord
from clipper_nomad.managers.forwarding import with_allowed_hosts
from clipper_nomad.types import ClusterSpec, Device, Resources

REDIS_PORT = 6379
QUERY_PORT = 1337
MANAGEMENT_PORT = 1338
RPC_PORT = 7000
ADMIN_PORT = 1390

#: The time in which a frontend or a replica must finish its work, and how much longer the engine waits.
DRAIN_TIMEOUT_S = 30
_DRAIN_MARGIN_S = 5
#: At any time Redis has all but the last second on disk.
_REDIS_STOP_S = 30
_MIB = 1024 * 1024
_CORES_TO_NANO_CPUS = 1_000_000_000
_GPU = "nvidia/gpu"


@dataclass(frozen=True)
class Published:
    """A container's port, the address and port on the host, and the setting that chose them."""

    container_port: int
    host_ip: str
    host_port: int
    setting: str


@dataclass(frozen=True)
class Definition:
    """One container; `image` is an id. A container with the same definition, by its `digest`, stays."""

    name: str
    image: str
    network: str
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    stop_timeout_s: int = DRAIN_TIMEOUT_S + _DRAIN_MARGIN_S
    resources: Resources = field(default_factory=Resources)
    num_gpus: int = 0

    @property
    def digest(self) -> str:
        """Return a hash of all that the definition says."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    @property
    def all_labels(self) -> dict[str, str]:
        """Return the labels, the digest's included."""
        return {**self.labels, labels.DEFINITION_HASH: self.digest}

    def limits(self) -> dict[str, int]:
        """Return the limits as arguments of the engine."""
        found = {}
        if self.resources.cpu is not None:
            found["nano_cpus"] = int(self.resources.cpu * _CORES_TO_NANO_CPUS)
        memory, memory_max = self.resources.memory, self.resources.memory_max
        limit = memory if memory_max is None else memory_max
        if limit is not None:
            # No swap: a replica that swaps misses its deadlines anyway.
            found["mem_limit"] = found["memswap_limit"] = limit * _MIB
        if memory is not None and memory_max is not None:
            found["mem_reservation"] = memory * _MIB
        return found


def host_ip(docker_ip: str) -> str:
    """Return the address of the engine's machine that ports are bound to.

    It is `docker_ip` if that is an address, and all addresses if it is a name, which may lead anywhere.
    """
    if docker_ip in ("localhost", "127.0.0.1"):
        return "127.0.0.1"
    is_address = docker_ip.replace(".", "").isdecimal() or ":" in docker_ip
    return docker_ip if is_address else "0.0.0.0"


def redis(cluster_name: str, record: ClusterRecord, image: str) -> Definition:
    """Return the cluster's own Redis, whose state is in a named volume."""
    name = labels.join(cluster_name, labels.REDIS)
    return Definition(
        name,
        image,
        record.network,
        labels.of_cluster(cluster_name, labels.REDIS, record.version),
        volumes={name: "/data"},
        stop_timeout_s=_REDIS_STOP_S,
    )


def management_frontend(
    cluster_name: str, record: ClusterRecord, image: str, environment: Mapping[str, str]
) -> Definition:
    """Return the management frontend."""
    found = labels.of_cluster(cluster_name, labels.MANAGEMENT_FRONTEND, record.version)
    name = labels.join(cluster_name, labels.MANAGEMENT_FRONTEND)
    environment = with_allowed_hosts(environment, name, record.docker_ip)
    return Definition(
        name,
        image,
        record.network,
        {**found, **labels.of_record(record)},
        {**environment, **_common_environment(cluster_name, record), "CLIPPER_PORT": str(MANAGEMENT_PORT)},
        (_publish(record, MANAGEMENT_PORT, record.management_port, "clipper_management_port"),),
    )


def query_frontend(
    cluster_name: str,
    record: ClusterRecord,
    spec: ClusterSpec,
    image: str,
    environment: Mapping[str, str],
    *,
    index: int,
    query_port: int,
) -> Definition:
    """Return a query frontend. The first one also publishes the RPC port."""
    name = labels.query_frontend_name(cluster_name, index)
    own = {
        "CLIPPER_PORT": str(QUERY_PORT),
        "CLIPPER_RPC_HOST": "0.0.0.0",
        "CLIPPER_RPC_PORT": str(RPC_PORT),
        "CLIPPER_ADVERTISE_RPC": f"{name}:{RPC_PORT}",
        # The admin library reaches published ports alone, and the frontends each other on the network alone.
        "CLIPPER_ADVERTISE_ADMIN": f"{record.docker_ip}:{query_port}",
        "CLIPPER_ADVERTISE_PEER": f"{name}:{ADMIN_PORT}",
        "CLIPPER_PREDICTION_CACHE_BYTES": str(spec.prediction_cache_bytes),
    }
    if spec.header_timeout_s is not None:
        own["CLIPPER_HEADER_TIMEOUT_S"] = str(spec.header_timeout_s)
    if spec.body_timeout_s is not None:
        own["CLIPPER_BODY_TIMEOUT_S"] = str(spec.body_timeout_s)
    published = [_publish(record, QUERY_PORT, query_port, "clipper_query_port")]
    if index == 0:
        published.append(_publish(record, RPC_PORT, record.rpc_port, "clipper_rpc_port"))
    return Definition(
        name,
        image,
        record.network,
        labels.of_cluster(cluster_name, labels.QUERY_FRONTEND, record.version, index)
        | labels.of_record(record)
        | labels.of_spec(spec),
        {**environment, **_common_environment(cluster_name, record), **own},
        tuple(published),
    )


def rpc_address(cluster_name: str, index: int) -> str:
    """Return where replicas reach a query frontend."""
    return f"{labels.query_frontend_name(cluster_name, index)}:{RPC_PORT}"


def replica(cluster_name: str, record: ClusterRecord, model: ModelRecord, index: int) -> Definition:
    """Return one replica of a deployed version."""
    first_host, _, first_port = model.rpc_addresses[0].rpartition(":")
    environment = {
        **model.environment,
        "CLIPPER_MODEL_NAME": model.model.name,
        "CLIPPER_MODEL_VERSION": model.model.version,
        "CLIPPER_INPUT_TYPE": model.input_type,
        "CLIPPER_CLUSTER_NAME": cluster_name,
        "CLIPPER_RPC_ADDRESS": ",".join(model.rpc_addresses),
        # Containers of RPC version 3 read these two instead.
        "CLIPPER_IP": first_host,
        "CLIPPER_PORT": first_port,
        "CLIPPER_ADMIN_HOST": "0.0.0.0",
        "CLIPPER_ADMIN_PORT": str(ADMIN_PORT),
        "CLIPPER_EXIT_WHEN_HUNG": "1",
        "CLIPPER_DRAIN_TIMEOUT_S": str(DRAIN_TIMEOUT_S),
    }
    if model.resources.cpu is not None:
        environment[CPU_LIMIT] = f"{model.resources.cpu:g}"
    return Definition(
        labels.replica_name(cluster_name, model.model, index),
        model.image_id,
        record.network,
        labels.of_cluster(cluster_name, labels.REPLICA, record.version, index) | labels.of_model(model),
        environment,
        resources=model.resources,
        num_gpus=count_gpus(model.devices),
    )


def placeholder(cluster_name: str, record: ClusterRecord, model: ModelRecord) -> Definition:
    """Return the container that stands for a version with no replicas: created, and never started."""
    definition = replica(cluster_name, record, model, 0)
    return replace(
        definition,
        name=labels.placeholder_name(cluster_name, model.model),
        labels=labels.of_cluster(cluster_name, labels.PLACEHOLDER, record.version) | labels.of_model(model),
    )


def count_gpus(devices: tuple[Device, ...]) -> int:
    """Return how many GPUs a replica asks for. Raises ContainerManagerError for other devices.

    Warns of constraints and affinities, which mean nothing on one machine.
    """
    for device in devices:
        if device.name != _GPU:
            raise ContainerManagerError(
                f"Cannot give the device {device.name!r} to a model: the Docker manager gives out {_GPU!r} "
                "only. Pass other devices to all containers with extra_container_kwargs={'devices': ...}."
            )
        if device.constraints or device.affinities:
            warnings.warn(
                f"constraints and affinities of {device.name} are ignored: there is one machine only",
                ClipperWarning,
                stacklevel=2,
            )
    return sum(device.count for device in devices)


def _publish(record: ClusterRecord, container_port: int, host_port: int, setting: str) -> Published:
    return Published(container_port, host_ip(record.docker_ip), host_port, setting)


def _common_environment(cluster_name: str, record: ClusterRecord) -> dict[str, str]:
    own_redis = f"{labels.join(cluster_name, labels.REDIS)}:{REDIS_PORT}"
    return {
        "CLIPPER_CLUSTER_NAME": cluster_name,
        "CLIPPER_REDIS": f"{record.redis_ip}:{record.redis_port}" if record.redis_ip else own_redis,
        "CLIPPER_HOST": "0.0.0.0",
        "CLIPPER_ADMIN_HOST": "0.0.0.0",
        "CLIPPER_ADMIN_PORT": str(ADMIN_PORT),
        # The port is the container's own, so no load balancer must notice before it goes.
        "CLIPPER_DRAIN_DELAY_S": "0",
        "CLIPPER_DRAIN_TIMEOUT_S": str(DRAIN_TIMEOUT_S),
    }
