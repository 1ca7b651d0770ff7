"""Allowances of peers: what each may do at once, and how fast that grows again. No I/O; time is an argument.

A peer that has spent nothing has its full allowance, and takes no memory.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

#: So many peers are remembered; the one that began first is forgotten first.
_MAX_PEERS: Final = 1_000

Peer = TypeVar("Peer")


class Allowances(Generic[Peer]):
    """A token bucket for each peer: `at_once` tokens at most, and `per_s` more each second."""

    def __init__(self, at_once: float, per_s: float) -> None:
        self._at_once = at_once
        self._per_s = per_s
        #: What was left of an allowance, and when that was.
        self._left: dict[Peer, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._left)

    def allows(self, peer: Peer, now: float) -> bool:
        """Return whether a peer has a token left."""
        return self._left_of(peer, now) >= 1.0

    def spend(self, peer: Peer, now: float, count: float = 1.0) -> bool:
        """Take tokens; return False, and take none, if there are too few."""
        left = self._left_of(peer, now)
        if left < count:
            return False
        if peer not in self._left and len(self._left) >= _MAX_PEERS:
            del self._left[next(iter(self._left))]
        self._left[peer] = (left - count, now)
        return True

    def _left_of(self, peer: Peer, now: float) -> float:
        left, since = self._left.get(peer, (self._at_once, now))
        left += (now - since) * self._per_s
        if left < self._at_once:
            return left
        self._left.pop(peer, None)
        return self._at_once
