"""The store: all calls of the registry, each of them one atomic step in Redis.

It joins the parts in `applications`, `models`, `replicas`, `frontends` and `selection` over one client.
"""

from __future__ import annotations

import uuid
from types import TracebackType
from typing import Self

from clipper_frontend.errors import ClusterMismatch
from clipper_frontend.registry.applications import Applications
from clipper_frontend.registry.connection import RedisSettings, connect
from clipper_frontend.registry.frontends import Frontends, Restoring
from clipper_frontend.registry.models import Models
from clipper_frontend.registry.replicas import Replicas
from clipper_frontend.registry.selection import SelectionStates


class Store(Applications, Models, Replicas, Frontends, SelectionStates, Restoring):
    """The registry of one cluster. Use it as an async context manager, or close() it.

    Every method raises RegistryUnavailable, within about 2.5 s, if Redis gives no answer; a write may or may
    not have been made then.
    """

    def __init__(self, settings: RedisSettings) -> None:
        super().__init__(connect(settings))
        self._address = settings.address
        self.cluster_name = ""

    async def join_cluster(self, name: str) -> None:
        """Mark this Redis as the named cluster's; raises ClusterMismatch if it is another's.

        From then on every call raises RegistryReplaced if Redis holds another registry than now.
        """
        owner, epoch = await self.run_on_any("join_cluster", name, uuid.uuid4().hex)
        if owner != name:
            raise ClusterMismatch(
                f"the Redis at {self._address} belongs to cluster {owner!r}, not {name!r}: "
                "set --cluster-name or --redis"
            )
        self.epoch, self.cluster_name = epoch, name

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
