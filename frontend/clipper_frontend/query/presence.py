"""The presence of this frontend in the registry: its record, its ready versions, and the replicas it holds.

One task keeps the registry equal to what is connected here, and restores it after Redis was away. None of
this is on the query path.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from clipper_container.wire import V3, V4
from clipper_frontend.errors import RegistryReplaced, RegistryUnavailable
from clipper_frontend.query.prediction.replica import Replica
from clipper_frontend.query.prediction.version import ServedVersion
from clipper_frontend.query.serving.query_ids import QueryIds
from clipper_frontend.registry.frontends import FRONTEND_RENEWAL_INTERVAL_S
from clipper_frontend.registry.keys import ReplicaKey
from clipper_frontend.registry.mirror import Mirror
from clipper_frontend.registry.records import FrontendRecord
from clipper_frontend.registry.replicas import REPLICA_RENEWAL_INTERVAL_S, ReplicaSession
from clipper_frontend.registry.store import Store
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.query.presence")

Ready = dict[tuple[str, str], int]
Connected = list[tuple[ServedVersion, Replica]]


@dataclass(frozen=True)
class _RegisteredReplica:
    """A replica as it is registered: its key, with its number, and its instance."""

    key: ReplicaKey
    instance_id: str


class Presence:
    """Publishes to the registry, from start() to close(). `connected` returns the replicas that are here."""

    def __init__(
        self,
        store: Store,
        record: FrontendRecord,
        query_ids: QueryIds,
        mirror: Mirror,
        connected: Callable[[], Connected],
    ) -> None:
        self._store = store
        self._record = record
        self._query_ids = query_ids
        self._mirror = mirror
        self._connected = connected
        self._changed = asyncio.Event()
        self._followed = asyncio.Event()
        self._announced = False
        self._ready: Ready = {}
        self._registered: dict[bytes, _RegisteredReplica] = {}
        self._renew_replicas_at = 0.0
        self._away = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start publishing once the registry has been read; before that, this frontend follows no change."""
        self._task = asyncio.create_task(self._run(), name="presence")

    def wake(self) -> None:
        """Publish soon: a replica or another frontend came or went."""
        self._changed.set()

    def forget(self) -> None:
        """Publish everything again: the registry was read, and its entries of this frontend are unknown."""
        self._followed.set()
        self._announced = False
        self._registered.clear()
        self._changed.set()

    async def close(self) -> None:
        """Stop publishing, and remove the entries of this frontend if Redis can be reached."""
        if self._task is None:
            return
        await end_task(self._task)
        self._task = None
        with contextlib.suppress(RegistryUnavailable):
            await self._store.remove_frontend(self._record.id)
            for replica in self._registered.values():
                await self._store.release_replica(self._record.id, replica.key, replica.instance_id)

    async def _run(self) -> None:
        await self._followed.wait()
        while True:
            try:
                await self._publish()
                self._away = False
            except RegistryUnavailable as exc:
                if not self._away:
                    logger.warning("could not update the registry: %s", exc)
                self._away = True
                self._announced = False
                self._registered.clear()
                if isinstance(exc, RegistryReplaced):
                    await self._claim_numbers()
            except Exception:
                logger.exception("could not update the registry")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FRONTEND_RENEWAL_INTERVAL_S):
                    await self._changed.wait()
            self._changed.clear()

    async def _claim_numbers(self) -> None:
        """Keep this frontend's numbers in a registry that it does not follow; put its own back if asked."""
        store, frontend_id = self._store, self._record.id
        with contextlib.suppress(RegistryUnavailable):
            wanted = await store.claim_numbers(store.cluster_name, frontend_id, self._query_ids.numbers)
            if wanted and await store.restore(store.cluster_name, frontend_id, self._mirror):
                logger.warning("put the registry back that Redis had lost")

    async def _publish(self) -> None:
        if self._query_ids.wants_number():
            self._query_ids.add(await self._store.take_number())
            self._announced = False
        connected = self._connected()
        await self._publish_replicas(connected)
        await self._publish_ready(_ready(connected))
        for model_name in self._mirror.awaiting_promotion():
            await self._store.promote(model_name)

    async def _publish_ready(self, ready: Ready) -> None:
        frontend_id = self._record.id
        if not self._announced or not await self._store.renew_frontend(frontend_id):
            await self._store.put_frontend(
                replace(self._record, ready=ready, numbers=self._query_ids.numbers)
            )
            self._announced = True
            self._ready = ready
            return
        for key in self._ready.keys() | ready.keys():
            if self._ready.get(key) != ready.get(key):
                self._announced &= await self._store.set_ready(frontend_id, *key, ready.get(key))
        self._ready = ready

    async def _publish_replicas(self, connected: Connected) -> None:
        here = {replica.identity: (version, replica) for version, replica in connected}
        for identity in self._registered.keys() - here.keys():
            replica = self._registered.pop(identity)
            await self._store.release_replica(self._record.id, replica.key, replica.instance_id)
        if time.monotonic() >= self._renew_replicas_at:
            await self._renew_replicas()
        for identity in here.keys() - self._registered.keys():
            await self._register(identity, *here[identity])

    async def _renew_replicas(self) -> None:
        self._renew_replicas_at = time.monotonic() + REPLICA_RENEWAL_INTERVAL_S
        held: Mapping[ReplicaKey, str] = {one.key: one.instance_id for one in self._registered.values()}
        gone = set(await self._store.renew_replicas(self._record.id, held))
        self._registered = {
            identity: replica for identity, replica in self._registered.items() if replica.key not in gone
        }

    async def _register(self, identity: bytes, version: ServedVersion, replica: Replica) -> None:
        session = ReplicaSession(
            model_name=version.name,
            model_version=version.version,
            input_type=replica.input_type,
            instance_id=replica.instance_id,
            rpc_version=replica.rpc_version,
            zmq_connection_id=int.from_bytes(identity[-4:], "little"),
            batch_size=version.batch_size,
        )
        number = await self._store.register_replica(session, self._record.id)
        key = ReplicaKey(version.name, version.version, number)
        self._registered[identity] = _RegisteredReplica(key, replica.instance_id)


def _ready(connected: Connected) -> Ready:
    """Return the versions that are ready here, with RPC version 3 if any of their replicas has it, else 4."""
    ready: Ready = {}
    for version, replica in connected:
        if replica.in_rotation:
            key = (version.name, version.version)
            ready[key] = V3 if replica.rpc_version == V3 else ready.get(key, V4)
    return ready
