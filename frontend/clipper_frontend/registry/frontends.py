"""The part of the store that holds query frontends: their records, their ready versions, acknowledgements.

One that follows a registry which Redis lost claims its numbers in the new one, so that no other frontend gets
them. If an administrator asks for it, it writes its mirror: what the new registry has already stays.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.registry import keys
from clipper_frontend.registry.keys import APPLIED_CHANNEL, SYNC_CHANNEL, Database
from clipper_frontend.registry.mirror import Entry, Mirror, Value
from clipper_frontend.registry.policies import most_links
from clipper_frontend.registry.records import ApplicationRecord, FrontendRecord
from clipper_frontend.registry.scripts import Scripts, flattened

MAX_NUMBER = 2**21 - 1
#: A record lives 10 s after it was last renewed: two renewals may be missed.
FRONTEND_RENEWAL_INTERVAL_S = 3.0


WANTED, ASKED, WITHDRAWN = "wanted", "asked", "withdrawn"


class Frontends(Scripts):
    """Query frontends. Every method raises RegistryUnavailable if Redis gives no answer."""

    async def take_number(self) -> int:
        """Return a number, below 2^21, that no other query frontend has."""
        return int(await self.run("take_number", secrets.randbelow(MAX_NUMBER + 1)))

    async def put_frontend(self, record: FrontendRecord) -> None:
        """Write a frontend's record, with the versions that it has ready, in place of an earlier one."""
        plain = flattened(dataclasses.replace(record, ready={}).to_hash())
        ready = [str(part) for model, rpc_version in record.ready.items() for part in (*model, rpc_version)]
        await self.run("put_frontend", record.id, len(plain), *plain, *ready)

    async def renew_frontend(self, frontend_id: str) -> bool:
        """Prolong a record's life; return False if it had expired and must be written again."""
        return bool(await self.run("renew_frontend", frontend_id))

    async def set_ready(self, frontend_id: str, name: str, version: str, rpc_version: int | None) -> bool:
        """Store the RPC version by which a frontend has a version ready (None: not ready); promote the model.

        Return False if the frontend's record had expired and must be written again.
        """
        ready = "" if rpc_version is None else str(rpc_version)
        return bool(await self.run("set_ready", frontend_id, name, version, ready))

    async def remove_frontend(self, frontend_id: str) -> None:
        """Remove a frontend's record; versions that waited for this frontend alone begin to serve."""
        await self.run("remove_frontend", frontend_id)

    async def synchronize(self, token: str) -> tuple[int, frozenset[str]]:
        """Ask the query frontends to acknowledge `token` once they have applied all earlier writes.

        Returns the number of subscribers that it went to, and the ids of the live frontends.
        """
        num_receivers, *live = await self.run("synchronize", SYNC_CHANNEL, token)
        return num_receivers, frozenset(live)

    async def acknowledge(self, token: str, frontend_id: str) -> None:
        """Publish that this frontend has applied all writes before `token`."""
        await self.run("acknowledge", APPLIED_CHANNEL, f"{token} {frontend_id}")

    async def list_frontends(self) -> list[FrontendRecord]:
        """Return the live query frontends, sorted by id."""
        mirror = Mirror()
        mirror.apply(await self.read_all(Database.FRONTENDS))
        return [mirror.frontends[frontend_id] for frontend_id in sorted(mirror.frontends)]


class Restoring(Scripts):
    """Calls on whichever registry Redis holds. Every method raises RegistryUnavailable without an answer."""

    async def claim_numbers(self, cluster_name: str, frontend_id: str, numbers: Iterable[int]) -> bool:
        """Keep numbers from being given to other frontends; return whether restore() is wanted."""
        listed = ",".join(map(str, numbers))
        return bool(await self.run_on_any("lost/claim_numbers", cluster_name, frontend_id, listed))

    async def restore(self, cluster_name: str, frontend_id: str, mirror: Mirror) -> bool:
        """Write a mirror of the lost registry; return False if nobody wants that any more."""
        epochs = sorted(mirror.epochs | ({self.epoch} if self.epoch else set()))
        arguments: list[str | int] = [cluster_name, frontend_id, len(epochs), *epochs]
        for database, key, value in entries_of(mirror):
            kind, values = _written(value)
            arguments += (int(database), key, kind, len(values), *values)
        return bool(await self.run_on_any("lost/restore", *arguments))

    async def request_restore(self, cluster_name: str, word: str) -> tuple[str, list[str]]:
        """Ask for a restore (WANTED), about it (ASKED), or end it (WITHDRAWN).

        Return the state of the request, and the ids of the query frontends that follow a lost registry.
        """
        state, *frontends = await self.run_on_any("lost/request_restore", cluster_name, word)
        return state, sorted(frontends)


def entries_of(mirror: Mirror) -> Iterator[Entry]:
    """Return the keys of the registry that are not made anew by frontends and replicas."""
    for key, model in sorted(mirror.models.items()):
        yield Database.MODELS, str(key), model.to_hash()
    for prefix, versions in (
        (keys.CURRENT_PREFIX, mirror.current_versions),
        (keys.SERVING_PREFIX, mirror.serving_versions),
    ):
        for name, version in sorted(versions.items()):
            yield Database.METADATA, prefix + name, version
    for name, linked in sorted(mirror.links.items()):
        yield Database.LINKS, name, linked
    # Last: a follower that reads an application finds its links and their models.
    for name, record in sorted(mirror.applications.items()):
        state = json.dumps({"y_hat": record.default_output}, separators=(",", ":"), ensure_ascii=False)
        yield Database.SELECTION_STATE, f"{name}:0:0", state
        yield Database.APPLICATIONS, name, record.to_hash() | _most_links(record)


def _most_links(record: ApplicationRecord) -> dict[str, str]:
    try:
        return most_links(record.config)
    except PolicyRefusal:
        return {}


def _written(value: Value) -> tuple[str, list[str]]:
    if isinstance(value, Mapping):
        return "hash", flattened(value)
    if isinstance(value, frozenset):
        return "set", sorted(value)
    return "string", [value or ""]
