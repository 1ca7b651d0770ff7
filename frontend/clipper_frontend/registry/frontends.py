"""The part of the store that holds query frontends: their records, their ready versions, acknowledgements."""

from __future__ import annotations

import dataclasses

from clipper_frontend.registry.keys import APPLIED_CHANNEL, SYNC_CHANNEL, Database
from clipper_frontend.registry.mirror import Mirror
from clipper_frontend.registry.records import FrontendRecord
from clipper_frontend.registry.scripts import Scripts, flattened

#: A record lives 10 s after it was last renewed: two renewals may be missed.
FRONTEND_RENEWAL_INTERVAL_S = 3.0


class Frontends(Scripts):
    """Query frontends. Every method raises RegistryUnavailable if Redis gives no answer."""

    async def take_number(self) -> int:
        """Return a number, below 2^21, that no other query frontend has."""
        return int(await self.run("take_number"))

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
