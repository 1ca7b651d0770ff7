"""The part of the store that gives replicas their numbers, and records the frontends that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clipper_container.input_types import InputType
from clipper_frontend.registry.hashes import read_record
from clipper_frontend.registry.keys import Database, ReplicaKey
from clipper_frontend.registry.mirror import Entry
from clipper_frontend.registry.records import ADAPTIVE_BATCH_SIZE, ReplicaRecord
from clipper_frontend.registry.scripts import Scripts, flattened

#: A record lives 30 s after its last holder renewed it: two renewals may be missed.
REPLICA_RENEWAL_INTERVAL_S = 10.0


@dataclass(frozen=True)
class ReplicaSession:
    """A query frontend's session with a replica. `batch_size` is -1 if it is learnt."""

    model_name: str
    model_version: str
    input_type: InputType
    instance_id: str
    rpc_version: int
    zmq_connection_id: int = 0
    batch_size: int = ADAPTIVE_BATCH_SIZE


class Replicas(Scripts):
    """Replicas. Every method raises RegistryUnavailable if Redis gives no answer.

    A replica's instance id identifies it on all frontends. A container of RPC version 3 has none: its
    frontend makes one up for each session.
    """

    async def register_replica(self, session: ReplicaSession, frontend_id: str) -> int:
        """Record that a frontend holds a replica, and return the replica's number.

        An instance keeps its number while any frontend holds it; a new one gets the lowest free number.
        """
        record = ReplicaRecord(
            model_name=session.model_name,
            model_version=session.model_version,
            replica_id=0,
            input_type=session.input_type,
            batch_size=session.batch_size,
            zmq_connection_id=session.zmq_connection_id,
            instance_id=session.instance_id,
            rpc_version=session.rpc_version,
        )
        values = record.to_hash()
        del values["model_replica_id"]  # the script assigns it
        number: int = await self.run(
            "register_replica",
            session.model_name,
            session.model_version,
            session.instance_id,
            frontend_id,
            *flattened(values),
        )
        return number

    async def renew_replicas(self, frontend_id: str, held: Mapping[ReplicaKey, str]) -> list[ReplicaKey]:
        """Prolong a frontend's holds of replicas, given with their instance ids.

        Returns the replicas whose records are gone or another instance's: they must be registered again.
        """
        if not held:
            return []
        arguments = [part for key, instance_id in held.items() for part in (str(key), instance_id)]
        gone: list[str] = await self.run("renew_replicas", frontend_id, *arguments)
        return [ReplicaKey.parse(key) for key in gone]

    async def release_replica(self, frontend_id: str, key: ReplicaKey, instance_id: str) -> None:
        """End a frontend's hold; the record is deleted if no other frontend holds the replica."""
        await self.run("release_replica", frontend_id, str(key), instance_id)

    async def get_replica(self, key: ReplicaKey) -> ReplicaRecord | None:
        """Return a replica, or None if there is none."""
        return next(_replicas(await self.read([(Database.REPLICAS, str(key))])), None)

    async def get_replicas(self) -> list[ReplicaRecord]:
        """Return all replicas, sorted by model, version and number."""
        return sorted(_replicas(await self.read_all(Database.REPLICAS)), key=lambda record: record.key)


def _replicas(entries: Iterable[Entry]) -> Iterator[ReplicaRecord]:
    for _, text, value in entries:
        try:
            key = ReplicaKey.parse(text)
        except ValueError:
            continue  # a key of another tool
        record = _read_replica(key, value) if isinstance(value, Mapping) else None
        if record is not None:
            yield record


def _read_replica(key: ReplicaKey, values: Mapping[str, str]) -> ReplicaRecord | None:
    return read_record(lambda: ReplicaRecord.from_hash(key, values))
