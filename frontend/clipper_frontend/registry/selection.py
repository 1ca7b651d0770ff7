"""The part of the store that keeps what selection policies learn: counters by state and bucket of time.

Owns the keys in database 1, how long they live, and that a batch of increments is added once or never. What
counters mean is the policies' business.

    selection:<application>:<state name>:<user>:<bucket>   hash, counter = integer; the user "" is all users
    selection:<application>:<state name>:<user>:buckets    set of the buckets that there may be
    selection_users:<application>:<state name>             sorted set, user = last feedback in ms
    selection_batch:<token>                                what became of a batch: written or cancelled
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from clipper_frontend.registry.scripts import Scripts
from clipper_frontend.selection.state import Buckets, Increments

#: The user of the state that all users share.
EVERYBODY: Final = ""


class StateKey(NamedTuple):
    """What a policy has learnt for one application under one loss: for all users, or for one."""

    application: str
    state_name: str
    user: str = EVERYBODY

    def __str__(self) -> str:
        return f"selection:{self.application}:{self.state_name}:{self.user}"


class Addition(NamedTuple):
    """What is to be added to one bucket of one state; it lives `lifetime_s` after its start, None: for ever."""

    key: StateKey
    bucket: int
    lifetime_s: int | None
    increments: Increments


class SelectionStates(Scripts):
    """What policies learn. Every method raises RegistryUnavailable where Redis gives no answer."""

    async def add_increments(self, token: str, additions: Sequence[Addition], most_users: int) -> bool:
        """Add a batch to its counters, all or nothing; False where its token was settled before.

        Of the users of one state the `most_users` are kept that gave feedback last. Where Redis gives no
        answer, settle_increments() tells whether the batch was written.
        """
        raise NotImplementedError

    async def settle_increments(self, token: str) -> bool:
        """Tell whether the batch with this token was written; where it was not, it never will be."""
        raise NotImplementedError

    async def read_states(self, keys: Sequence[StateKey]) -> list[Buckets]:
        """Return the buckets of some states, all of one moment."""
        raise NotImplementedError

    async def delete_states(self, application: str) -> None:
        """Delete all that was learnt for an application and its users."""
        raise NotImplementedError
