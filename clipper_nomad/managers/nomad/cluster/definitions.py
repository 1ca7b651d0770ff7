"""The jobs of a cluster as its manager wants them: environments, scheduling, resources, tags.

Pure: from specs, settings and a record to the parameters of jobspecs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from clipper_container.threads import CPU_LIMIT
from clipper_nomad.jobspecs import (
    HostVolume,
    Location,
    ManagementFrontendJob,
    ModelJob,
    QueryFrontendJob,
    RedisJob,
    Task,
    TaskResources,
    service_name,
)
from clipper_nomad.managers.forwarding import ALLOWED_HOSTS, with_allowed_hosts
from clipper_nomad.managers.nomad.cluster import records
from clipper_nomad.managers.nomad.cluster.records import ClusterRecord
from clipper_nomad.managers.nomad.dns import DNS
from clipper_nomad.managers.nomad.load_balancer import LoadBalancer
from clipper_nomad.managers.nomad.settings import NomadSettings
from clipper_nomad.types import ClusterSpec, DeploySpec, Device, Resources

_FRONTEND_SETTINGS = ("CLIPPER_LOG_LEVEL", ALLOWED_HOSTS)
_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class ComponentImages:
    """The immutable names of the images that components run; empty for drivers without images."""

    redis: str = ""
    query_frontend: str = ""
    management_frontend: str = ""


@dataclass(frozen=True)
class Definitions:
    """The jobs of one cluster as its manager wants them."""

    cluster_name: str
    record: ClusterRecord
    settings: NomadSettings
    dns: DNS
    load_balancer: LoadBalancer
    location: Location

    def redis(self, images: ComponentImages, volume: HostVolume | None) -> RedisJob:
        """Return the job of the cluster's own Redis, which keeps its state in `volume`."""
        kept_in = records.kept_in(self.settings)
        return RedisJob(
            cluster_name=self.cluster_name,
            version=self.record.version,
            location=self.location,
            scheduling=self.settings.scheduling,
            task=self._task(images.redis, self.settings.redis_resources, {}),
            timings=self.settings.timings,
            meta={records.VOLUME: kept_in} if kept_in else {},
            volume=volume,
            password=self.settings.redis_password,
        )

    def query_frontend(self, images: ComponentImages, spec: ClusterSpec) -> QueryFrontendJob:
        """Return the job of the query frontends."""
        own = {"CLIPPER_PREDICTION_CACHE_BYTES": str(spec.prediction_cache_bytes)}
        if spec.header_timeout_s is not None:
            own["CLIPPER_HEADER_TIMEOUT_S"] = str(spec.header_timeout_s)
        if spec.body_timeout_s is not None:
            own["CLIPPER_BODY_TIMEOUT_S"] = str(spec.body_timeout_s)
        environment = {**self._frontend_environment(), **own}
        return QueryFrontendJob(
            cluster_name=self.cluster_name,
            version=self.record.version,
            location=self.location,
            scheduling=self.settings.scheduling,
            task=self._task(images.query_frontend, self.settings.query_frontend_resources, environment),
            timings=self.settings.timings,
            count=spec.num_query_frontends,
            meta=records.of_spec(spec),
            query_tags=self.load_balancer.query_tags(self.cluster_name),
            rpc_tags=self.load_balancer.rpc_tags(),
        )

    def management_frontend(self, images: ComponentImages) -> ManagementFrontendJob:
        """Return the management frontend's job, whose meta carries the cluster's record."""
        task = self._task(
            images.management_frontend,
            self.settings.management_frontend_resources,
            self._frontend_environment(),
        )
        if self.record.management_address:
            # The load balancer passes on the name by which it was asked.
            name = self.record.management_address.partition("/")[0].rpartition(":")[0]
            task = replace(task, environment=with_allowed_hosts(task.environment, name))
        return ManagementFrontendJob(
            cluster_name=self.cluster_name,
            version=self.record.version,
            location=self.location,
            scheduling=self.settings.scheduling,
            task=task,
            timings=self.settings.timings,
            meta=records.of_cluster(self.record),
            tags=self.load_balancer.management_tags(self.cluster_name),
        )

    def model(self, spec: DeploySpec, source: str) -> ModelJob:
        """Return the job of a model version, whose source is an image or an archive."""
        resources = model_resources(
            spec.resources, spec.devices, self.settings.model_resources, self.settings.cpu_mhz_per_core
        )
        return ModelJob(
            cluster_name=self.cluster_name,
            version=self.record.version,
            location=self.location,
            scheduling=self.settings.scheduling.with_more(self.settings.model_scheduling),
            task=self._task(source, resources, self._replica_environment(resources), spec.environment),
            timings=self.settings.timings,
            model=spec.model,
            input_type=spec.input_type,
            count=spec.num_replicas,
        )

    def _replica_environment(self, resources: TaskResources) -> dict[str, str]:
        cores = resources.cpu_mhz / self.settings.cpu_mhz_per_core
        return {**_seed_environment(self.record), CPU_LIMIT: f"{cores:g}"}

    def _task(
        self,
        source: str,
        resources: TaskResources,
        environment: Mapping[str, str],
        more: Mapping[str, str] = _NO_VARIABLES,
    ) -> Task:
        """Return a task; `more` are variables of this job, which win over the settings' for all."""
        return Task(
            driver=self.settings.driver,
            source=source,
            resources=resources,
            environment={**environment, **self.settings.environment, **more},
        )

    def _frontend_environment(self) -> dict[str, str]:
        found = {name: os.environ[name] for name in _FRONTEND_SETTINGS if os.environ.get(name)}
        return {
            "CLIPPER_CLUSTER_NAME": self.cluster_name,
            "CLIPPER_REDIS": self._redis_address(),
            **_dns_environment(self.record),
            **found,
            **self._redis_credentials(),
        }

    def _redis_address(self) -> str:
        if self.record.redis_ip:
            return f"{self.record.redis_ip}:{self.record.redis_port}"
        return self.dns.srv_address(service_name(self.cluster_name, "redis"))

    def _redis_credentials(self) -> dict[str, str]:
        """Return the credentials of an external Redis, from the environment as the frontends read it."""
        found = {}
        if self.record.redis_ip:
            found = {name: value for name, value in os.environ.items() if name.startswith("CLIPPER_REDIS_")}
            # Its address is an argument of the manager, and an external Redis has no volume of ours.
            for name in ("CLIPPER_REDIS_IP", "CLIPPER_REDIS_PORT", "CLIPPER_REDIS_VOLUME"):
                found.pop(name, None)
        if self.settings.redis_password is not None:
            found["CLIPPER_REDIS_PASSWORD"] = self.settings.redis_password
        return found


def model_resources(
    wanted: Resources, devices: tuple[Device, ...], default: TaskResources, cpu_mhz_per_core: int
) -> TaskResources:
    """Return the resources of one replica: those of the deployment, else those of the settings."""
    return TaskResources(
        cpu_mhz=default.cpu_mhz if wanted.cpu is None else max(1, round(wanted.cpu * cpu_mhz_per_core)),
        memory_mib=wanted.memory or default.memory_mib,
        memory_max_mib=wanted.memory_max or (None if wanted.memory else default.memory_max_mib),
        devices=devices,
    )


def _seed_environment(record: ClusterRecord) -> dict[str, str]:
    """Return where a container finds its first query frontend, which then announces the others."""
    found = {"CLIPPER_RPC_ADDRESS": ",".join(record.rpc_seeds), **_dns_environment(record)}
    if record.rpc_proxy_only:
        found["CLIPPER_RPC_PROXY_ONLY"] = "1"
    if record.rpc_address:
        # Containers of RPC version 3 read these two instead.
        found["CLIPPER_IP"], _, found["CLIPPER_PORT"] = record.rpc_address.rpartition(":")
    return found


def _dns_environment(record: ClusterRecord) -> dict[str, str]:
    return {"CLIPPER_DNS": record.dns_server} if record.dns_server else {}
