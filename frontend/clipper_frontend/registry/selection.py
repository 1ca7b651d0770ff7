"""The part of the store that keeps what selection policies learn: counters by state and bucket of time.

Owns the keys in database 1, how long they live, and that a batch of increments is added once or never. What
counters mean is the policies' business.

    selection:<application>:<state name>:<user>:<bucket>   hash, counter = integer; the user "" is all users
    selection:<application>:<state name>:<user>:buckets    set of the buckets that there may be
    selection:<application>:<state name>::users            sorted set, user = last feedback in ms
    selection_batch:<token>                                what became of a batch: written or cancelled
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from clipper_frontend.registry.scripts import Scripts
from clipper_frontend.selection.state import Buckets, Increments

#: The user of the state that all users share.
EVERYBODY: Final = ""
#: How long it is known what became of a batch: longer than any call may take.
_TOKEN_LIFETIME_S: Final = 600


class StateKey(NamedTuple):
    """What a policy has learnt for one application under one loss: for all users, or for one."""

    application: str
    state_name: str
    user: str = EVERYBODY


class Addition(NamedTuple):
    """What is to be added to one bucket of one state, which ends at `expires_at`, Unix time in seconds.

    None: it never does. The last addition to a bucket decides.
    """

    key: StateKey
    bucket: int
    expires_at: int | None
    increments: Increments


class SelectionStates(Scripts):
    """What policies learn. Every method raises RegistryUnavailable where Redis gives no answer."""

    async def add_increments(self, token: str, additions: Sequence[Addition], most_users: int) -> bool:
        """Add a batch to its counters, all or nothing; False where its token was used or settled before.

        Of the users of one state the `most_users` are kept that gave feedback last. Where Redis gives no
        answer, settle_increments() tells whether the batch was written.
        """
        arguments: list[str | int] = [token, _TOKEN_LIFETIME_S, most_users]
        for (application, state_name, user), bucket, expires_at, increments in additions:
            arguments += (application, state_name, user, bucket, expires_at or "", len(increments))
            for name, count in increments.items():
                arguments += (name, count)
        return bool(await self.run("add_increments", *arguments))

    async def settle_increments(self, token: str) -> bool:
        """Tell whether the batch with this token was written; where it was not, it never will be."""
        return bool(await self.run("settle_increments", token, _TOKEN_LIFETIME_S))

    async def read_states(self, keys: Sequence[StateKey]) -> list[Buckets]:
        """Return the buckets of some states, all of one moment; none for a state that there is not."""
        if not keys:
            return []
        replies = await self.run("read_states", *(part for key in keys for part in key))
        return [{int(bucket): _counters(fields) for bucket, fields in reply} for reply in replies]


def _counters(fields: Sequence[Any]) -> dict[str, int]:
    return {name: int(count) for name, count in zip(fields[::2], fields[1::2], strict=True)}
