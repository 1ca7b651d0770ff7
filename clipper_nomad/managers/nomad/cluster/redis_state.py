"""The data of a cluster's own Redis on Nomad: its volume is made, deleted or emptied.

A dynamic volume is the cluster's own and is deleted with its state; any other volume is only emptied.
"""

from __future__ import annotations

import logging

import redis

from clipper_nomad.jobspecs import HostVolume, meta, service_name
from clipper_nomad.managers.nomad.api.volumes import VolumeRequest, Volumes
from clipper_nomad.managers.nomad.cluster import records
from clipper_nomad.managers.nomad.cluster.cluster_jobs import ClusterJobs
from clipper_nomad.managers.nomad.dns import DNS
from clipper_nomad.managers.nomad.settings import DynamicVolume, NomadSettings

logger = logging.getLogger("clipper")

_VOLUME_TIMEOUT_S = 30.0
_FLUSH_TIMEOUT_S = 10.0
#: Redis' image runs as this user and group.
_OWNER = {"uid": "10001", "gid": "10001", "mode": "0750"}


class RedisState:
    """The data of one cluster's Redis."""

    def __init__(
        self, cluster_jobs: ClusterJobs, settings: NomadSettings, volumes: Volumes, dns: DNS
    ) -> None:
        self._cluster_jobs = cluster_jobs
        self._settings = settings
        self._volumes = volumes
        self._dns = dns
        self._service = service_name(cluster_jobs.cluster_name, "redis")

    @property
    def mount(self) -> HostVolume | None:
        """Return the volume that a new job of Redis mounts."""
        volume = self._settings.redis_volume
        return HostVolume(self._service) if isinstance(volume, DynamicVolume) else volume

    def find(self) -> str | None:
        """Return what keeps Redis' data, by the meta of its job; without a job, by the settings."""
        jobs = [job for job in self._cluster_jobs.find_all() if job.meta[meta.COMPONENT] == meta.REDIS]
        return jobs[0].meta.get(records.VOLUME) if jobs else records.kept_in(self._settings)

    def has_volume(self) -> bool:
        """Return whether there is a volume that provide() made."""
        return self.find() == records.DYNAMIC_VOLUME and bool(self._volumes.find(self._service))

    def provide(self) -> bool:
        """Make the dynamic volume if the settings have one and it is missing; return whether it was made."""
        volume = self._settings.redis_volume
        if not isinstance(volume, DynamicVolume) or self._volumes.find(self._service):
            return False
        request = VolumeRequest(
            self._service,
            volume.plugin,
            node_pool=self._settings.scheduling.node_pool,
            constraints=[(each.attribute, each.operator, each.value) for each in volume.constraints],
            parameters={**_OWNER, **volume.parameters},
        )
        self._volumes.create(request, _VOLUME_TIMEOUT_S)
        return True

    def remove_volume(self) -> None:
        """Delete the volume that provide() made, with its data; no allocation uses it any more."""
        self._volumes.delete(self._service, _VOLUME_TIMEOUT_S)

    def empty(self, volume: str) -> None:
        """Delete the data in a volume that stays, while Redis runs; warn if Redis cannot be reached."""
        addresses = self._dns.lookup(self._service)
        try:
            if not addresses:
                raise redis.ConnectionError("no instance of it passes its check")
            with redis.Redis(
                addresses[0].host,
                addresses[0].port,
                password=self._settings.redis_password,
                socket_timeout=_FLUSH_TIMEOUT_S,
            ) as client:
                client.flushall()
        except redis.RedisError as error:
            logger.warning(
                "Could not delete Redis' data, which stays in %s: %s",
                volume,
                error,
            )
