"""The part of the store that holds the state of selection policies: counters by state and bucket of time.

It defines the keys in database 1 and their lifetimes. A batch of increments is added once or never. The
policies give the counters their meaning.

    selection:<application>:<state name>:<user>:<bucket>   hash, counter = integer; the user "" is all users
    selection:<application>:<state name>:<user>:buckets    set of the buckets, of which some may have ended
    selection:<application>:<state name>::users            sorted set, user = last feedback in ms
    selection_batch:<writer>                               number and outcome of a writer's last batch
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from clipper_frontend.registry.scripts import Scripts
from clipper_frontend.selection.state import Buckets, Increments

#: The user of the state that all users share.
EVERYBODY: Final = ""
#: The outcome of a writer's last batch is kept this long after it. A batch that could not be asked about for
#: so long is given up by its writer before.
OUTCOME_LIFETIME_S: Final = 30 * 24 * 3600


class StateKey(NamedTuple):
    """The key of a policy's state for one application under one loss: for all users, or for one."""

    application: str
    state_name: str
    user: str = EVERYBODY


class Addition(NamedTuple):
    """Increments of one bucket of one state, which ends at `expires_at`, Unix time in seconds.

    With None it never ends. The last addition to a bucket decides.
    """

    key: StateKey
    bucket: int
    expires_at: int | None
    increments: Increments


class SelectionStates(Scripts):
    """The states of policies. Every method raises RegistryUnavailable if Redis gives no answer."""

    async def add_increments(
        self, writer: str, additions: Sequence[Addition], most_users: int, *, sequence: int = 1
    ) -> bool:
        """Add a batch to its counters, all or nothing; return False if it was written or settled before.

        A writer has an id that no other has, and numbers its batches in `sequence`; it settles each before it
        adds the next. A state keeps the `most_users` users that gave feedback last. If Redis gives no answer,
        settle_increments() returns whether the batch was written.
        """
        arguments: list[str | int] = [writer, sequence, OUTCOME_LIFETIME_S, most_users]
        for (application, state_name, user), bucket, expires_at, increments in additions:
            arguments += (application, state_name, user, bucket, expires_at or "", len(increments))
            for name, count in increments.items():
                arguments += (name, count)
        return bool(await self.run("add_increments", *arguments))

    async def settle_increments(self, writer: str, *, sequence: int = 1) -> bool:
        """Return whether this batch of a writer was written; if it was not, it never will be."""
        return bool(await self.run("settle_increments", writer, sequence, OUTCOME_LIFETIME_S))

    async def read_states(self, keys: Sequence[StateKey]) -> list[Buckets]:
        """Return the buckets of some states, read atomically; none for a state that does not exist."""
        if not keys:
            return []
        replies = await self.run("read_states", *(part for key in keys for part in key))
        return [{int(bucket): _counters(fields) for bucket, fields in reply} for reply in replies]


def _counters(fields: Sequence[Any]) -> dict[str, int]:
    return {name: int(count) for name, count in zip(fields[::2], fields[1::2], strict=True)}
