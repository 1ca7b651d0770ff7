"""The users whose own state is known on this frontend, and those whose state must be read. No I/O.

Bounds their number; eviction is approximately least-recently-used.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from clipper_frontend.selection.contract import Selector

#: At most this many users in use are passed over in search of one to forget.
_MAX_SPARED: Final = 8


class KnownUser:
    """A user whose state was read. `selector` is None if the user has no state of its own."""

    __slots__ = ("asked", "selector")

    def __init__(self, selector: Selector | None) -> None:
        self.selector = selector
        #: Whether a query has come since the state was read.
        self.asked = True


class KnownUsers:
    """At most `max_users` known users, and as many whose state must be read."""

    __slots__ = ("_known", "_max_users", "_wanted")

    def __init__(self, max_users: int) -> None:
        self._max_users = max_users
        self._known: dict[str, KnownUser] = {}
        self._wanted: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, user: str) -> KnownUser | None:
        """Return a known user, for a query."""
        known = self._known.get(user)
        if known is not None:
            known.asked = True
        return known

    def want(self, user: str) -> None:
        """Have a user's state read; if too many wait already, a later query asks again."""
        if len(self._wanted) < self._max_users:
            self._wanted[user] = None

    def changed(self, user: str) -> None:
        """Have the state of a known user read again."""
        if user in self._known:
            self.want(user)

    def want_again(self) -> None:
        """Have the states of all users with a query since the last reading read again."""
        for user, known in self._known.items():
            if known.asked:
                self.want(user)

    def want_those_of(self, others: KnownUsers) -> None:
        """Have the states of all users known there read, since another policy made their selectors."""
        for user in others._known:
            self.want(user)

    @property
    def are_wanted(self) -> bool:
        """Return whether any user's state must be read."""
        return bool(self._wanted)

    def take_wanted(self, count: int) -> list[str]:
        """Return users whose state must be read, the longest waiting first; put() must follow."""
        taken = list(islice(self._wanted, count))
        for user in taken:
            del self._wanted[user]
        return taken

    def put(self, user: str, selector: Selector | None) -> None:
        """Note the state that was read of a user."""
        known = self._known.get(user)
        if known is not None:
            known.selector = selector
            known.asked = False
            return
        if not self._max_users:
            return
        if len(self._known) >= self._max_users:
            self._forget_one()
        self._known[user] = KnownUser(selector)

    def _forget_one(self) -> None:
        """Forget the user known for longest who had no query since the last reading."""
        for _ in range(_MAX_SPARED):
            user = next(iter(self._known))
            known = self._known.pop(user)
            if not known.asked:
                return
            known.asked = False
            self._known[user] = known
        del self._known[next(iter(self._known))]
