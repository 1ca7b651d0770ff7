"""The users whose own state is known on this frontend, and those whose state is to be read. No I/O.

Owns their number: about those that were asked for last stay.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from clipper_frontend.selection.contract import Selector

#: How many users in use are passed over, at most, in search of one to forget.
_MOST_SPARED: Final = 8


class KnownUser:
    """A user whose state was read. `selector` is None where the user has none of its own."""

    __slots__ = ("asked", "selector")

    def __init__(self, selector: Selector | None) -> None:
        self.selector = selector
        #: Whether a query came since the state was read.
        self.asked = True


class KnownUsers:
    """At most `most` users who are known, and as many who are wanted."""

    __slots__ = ("_known", "_most", "_wanted")

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, KnownUser] = {}
        self._wanted: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, user: str) -> KnownUser | None:
        """Return a user who is known, for a query."""
        known = self._known.get(user)
        if known is not None:
            known.asked = True
        return known

    def want(self, user: str) -> None:
        """Have a user's state read; where too many are waited for, a later query asks again."""
        if len(self._wanted) < self._most:
            self._wanted[user] = None

    def changed(self, user: str) -> None:
        """Have a user's state read again, if it is known here."""
        if user in self._known:
            self.want(user)

    def want_again(self) -> None:
        """Have the states read again of those who were asked for since they were read."""
        for user, known in self._known.items():
            if known.asked:
                self.want(user)

    def want_those_of(self, others: KnownUsers) -> None:
        """Have the states read of all who are known there: another policy made their selectors."""
        for user in others._known:
            self.want(user)

    @property
    def are_wanted(self) -> bool:
        """Tell whether any user's state is to be read."""
        return bool(self._wanted)

    def take_wanted(self, most: int) -> list[str]:
        """Return users whose state is to be read, the longest waiting first; put() is to follow."""
        taken = list(islice(self._wanted, most))
        for user in taken:
            del self._wanted[user]
        return taken

    def put(self, user: str, selector: Selector | None) -> None:
        """Know a user by the state that was read."""
        known = self._known.get(user)
        if known is not None:
            known.selector = selector
            known.asked = False
            return
        if not self._most:
            return
        if len(self._known) >= self._most:
            self._forget_one()
        self._known[user] = KnownUser(selector)

    def _forget_one(self) -> None:
        """Forget the user known for longest who was not asked for since."""
        for _ in range(_MOST_SPARED):
            user = next(iter(self._known))
            known = self._known.pop(user)
            if not known.asked:
                return
            known.asked = False
            self._known[user] = known
        del self._known[next(iter(self._known))]
