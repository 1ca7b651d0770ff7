"""Where the data of a cluster's own Redis is kept on Nomad, and how it ends.

Owns the dynamic volume's making and deleting, and the emptying of one that is not ours to delete. Knows
nothing of what is in Redis.
"""

from __future__ import annotations

import logging

import redis

from clipper_nomad.jobspecs import HostVolume, service_name
from clipper_nomad.managers.nomad.dns import DNS
from clipper_nomad.managers.nomad.settings import DynamicVolume, NomadSettings
from clipper_nomad.managers.nomad.volumes import VolumeRequest, Volumes

logger = logging.getLogger("clipper")

_VOLUME_TIMEOUT_S = 30.0
_FLUSH_TIMEOUT_S = 10.0
# Redis' image runs as this user and group.
_OWNER = {"uid": "10001", "gid": "10001", "mode": "0750"}


class RedisState:
    """The data of one cluster's Redis."""

    def __init__(self, cluster_name: str, settings: NomadSettings, volumes: Volumes, dns: DNS) -> None:
        self._settings = settings
        self._volumes = volumes
        self._dns = dns
        self._service = service_name(cluster_name, "redis")

    @property
    def outlives_its_job(self) -> bool:
        """Tell whether the data is there after Redis' job has ended."""
        return self._settings.redis_volume is not None

    @property
    def mount(self) -> HostVolume | None:
        """Return the volume that Redis' job mounts."""
        volume = self._settings.redis_volume
        return HostVolume(self._service) if isinstance(volume, DynamicVolume) else volume

    def has_volume(self) -> bool:
        """Tell whether there is a volume that provide() made."""
        return isinstance(self._settings.redis_volume, DynamicVolume) and bool(
            self._volumes.find(self._service)
        )

    def provide(self) -> bool:
        """Make the volume where it is to be made and is missing; return whether that was done."""
        volume = self._settings.redis_volume
        if not isinstance(volume, DynamicVolume) or self.has_volume():
            return False
        request = VolumeRequest(
            self._service,
            volume.plugin,
            node_pool=self._settings.node_pool,
            constraints=[(each.attribute, each.operator, each.value) for each in volume.constraints],
            parameters={**_OWNER, **volume.parameters},
        )
        self._volumes.create(request, _VOLUME_TIMEOUT_S)
        return True

    def remove_volume(self) -> None:
        """Delete the volume that provide() made, with the data; nothing runs on it any more."""
        if isinstance(self._settings.redis_volume, DynamicVolume):
            self._volumes.delete(self._service, _VOLUME_TIMEOUT_S)

    def empty(self) -> None:
        """Delete the data of a volume that stays, while Redis runs; warn where Redis cannot be asked."""
        if not isinstance(self._settings.redis_volume, HostVolume):
            return
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
                "The data in host volume %s stays, since Redis could not be asked to delete it: %s",
                self._settings.redis_volume.source,
                error,
            )
