"""The records in the meta of a cluster's jobs: how it was started, and what keeps Redis' data.

Each is JSON in one meta value, so that any process can continue from the jobs alone. They hold no secret:
whoever may list jobs can read meta.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import project_version
from clipper_nomad.jobspecs import meta, service_name
from clipper_nomad.managers.nomad.dns import DNS
from clipper_nomad.managers.nomad.load_balancer import LoadBalancer
from clipper_nomad.managers.nomad.settings import DynamicVolume, NomadSettings
from clipper_nomad.types import ClusterSpec

RECORD = "clipper-nomad.settings"
#: On the query frontends' job.
SPEC = "clipper-nomad.spec"
#: The count of a job when the cluster was stopped with its state kept; a job with this key is asleep.
KEPT_COUNT = "clipper-nomad.kept_count"
#: What keeps Redis' data, on Redis' job: `dynamic`, or `host volume NAME`; missing if nothing does.
VOLUME = "clipper-nomad.volume"
DYNAMIC_VOLUME = "dynamic"
HOST_VOLUME = "host volume "


@dataclass(frozen=True)
class ClusterRecord:
    """The record of a cluster's start. Addresses are `host:port`, the query one with its path; None is none.

    `query_address` and `rpc_address` are the load balancer's. Containers start from `rpc_seeds`.
    """

    version: str
    query_address: str | None
    management_address: str | None
    rpc_address: str | None
    rpc_seeds: tuple[str, ...]
    redis_ip: str | None
    redis_port: int
    dns_server: str | None
    rpc_proxy_only: bool


@dataclass(frozen=True)
class _StableRecord:
    """The part of a record that every version of this project can read."""

    rpc_address: str | None = None


def make_cluster(
    cluster_name: str,
    settings: NomadSettings,
    dns: DNS,
    load_balancer: LoadBalancer,
    redis_ip: str | None,
    redis_port: int,
) -> ClusterRecord:
    """Return the record of a cluster to start. Raises ContainerManagerError if models cannot reach it."""
    rpc_address = load_balancer.rpc_address()
    if settings.rpc_proxy_only and rpc_address is None:
        raise ContainerManagerError(
            "rpc_proxy_only is set in NomadSettings, but there is no load balancer for models to go "
            "through: give one, such as FabioLoadBalancer(...)"
        )
    srv = None if settings.rpc_proxy_only else dns.srv_address(service_name(cluster_name, "rpc"))
    return ClusterRecord(
        version=project_version(),
        query_address=load_balancer.query_address(cluster_name),
        management_address=load_balancer.management_address(cluster_name),
        rpc_address=rpc_address,
        rpc_seeds=tuple(filter(None, (rpc_address, srv))),
        redis_ip=redis_ip,
        redis_port=redis_port,
        dns_server=dns.container_server,
        rpc_proxy_only=settings.rpc_proxy_only,
    )


def of_cluster(record: ClusterRecord) -> dict[str, str]:
    """Return the meta that carries the record."""
    return {RECORD: msgspec.json.encode(record).decode()}


def read_cluster(job_meta: Mapping[str, str]) -> ClusterRecord:
    """Return the record that a job carries. Raises ContainerManagerError if it cannot be read."""
    try:
        return msgspec.json.decode(job_meta.get(RECORD, ""), type=ClusterRecord)
    except msgspec.DecodeError as error:
        raise ContainerManagerError(
            f"The meta {RECORD} of a job of cluster {job_meta.get(meta.CLUSTER)!r} cannot be read "
            f"({error}): another version of clipper-nomad made it. Use that version, or stop the cluster "
            "first."
        ) from error


def of_spec(spec: ClusterSpec) -> dict[str, str]:
    """Return the meta that carries the query frontends' settings; their number is the job's count."""
    text = msgspec.json.encode(replace(spec, num_query_frontends=1), order="deterministic").decode()
    return {SPEC: text}


def read_spec(job_meta: Mapping[str, str], count: int) -> ClusterSpec:
    """Return the settings that a job of so many query frontends carries, by default all defaults."""
    try:
        spec = msgspec.json.decode(job_meta.get(SPEC, "{}"), type=ClusterSpec)
    except msgspec.DecodeError:
        # Another version's, which is rolled anyway.
        spec = ClusterSpec()
    return replace(spec, num_query_frontends=count)


def read_rpc_address(job_meta: Mapping[str, str]) -> str | None:
    """Return the RPC address, if any, of a cluster that any version may have started."""
    try:
        return msgspec.json.decode(job_meta.get(RECORD, ""), type=_StableRecord).rpc_address
    except msgspec.DecodeError:
        return None


def kept_in(settings: NomadSettings) -> str | None:
    """Return what keeps Redis' data, for the meta of its job; None if the data ends with the job."""
    if isinstance(settings.redis_volume, DynamicVolume):
        return DYNAMIC_VOLUME
    return None if settings.redis_volume is None else f"{HOST_VOLUME}{settings.redis_volume.source}"
