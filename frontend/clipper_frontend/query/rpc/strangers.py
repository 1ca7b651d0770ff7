"""Strangers: peers of the RPC port that have no session. They cost bounded time, memory and log lines.

No socket, no clock. A container that connects is a stranger for two messages. What comes faster than a
container needs is dropped unread, and what is larger than a container's introduction is not read.
"""

from __future__ import annotations

from typing import Final

#: A stranger may send this many messages at once, and so many a second from then on.
_MAX_AT_ONCE: Final = 20.0
_MAX_PER_S: Final = 5.0
#: The largest introduction: names of 255 bytes each, and a few numbers.
_MAX_FRAMES: Final = 12
_MAX_BYTES: Final = 8 * 1024
#: So many peers are remembered; the one heard of first is forgotten first.
_MAX_PEERS: Final = 1_000
_LOG_INTERVAL_S: Final = 60.0
#: The log lines about all peers together, in each interval.
_MAX_LINES: Final = 100


class _Peer:
    __slots__ = ("allowance", "heard_at", "logged_at")

    def __init__(self, now: float) -> None:
        self.allowance = _MAX_AT_ONCE
        self.heard_at = now
        self.logged_at = float("-inf")


class Strangers:
    """The peers that misbehaved or introduced themselves lately, by the routing id of their connection."""

    def __init__(self) -> None:
        self._peers: dict[bytes, _Peer] = {}
        self._lines = 0
        self._lines_since = float("-inf")
        self.dropped_messages = 0

    def __len__(self) -> int:
        return len(self._peers)

    def admits(self, identity: bytes, now: float) -> bool:
        """Return whether another message of this stranger is looked at, and count it."""
        peer = self._peer(identity, now)
        peer.allowance = min(_MAX_AT_ONCE, peer.allowance + (now - peer.heard_at) * _MAX_PER_S)
        peer.heard_at = now
        if peer.allowance < 1.0:
            self.dropped_messages += 1
            return False
        peer.allowance -= 1.0
        return True

    def may_log(self, identity: bytes, now: float) -> bool:
        """Return whether a line about this peer may be logged: one a minute, and not too many of all."""
        peer = self._peer(identity, now)
        if now - peer.logged_at < _LOG_INTERVAL_S:
            return False
        if now - self._lines_since >= _LOG_INTERVAL_S:
            self._lines, self._lines_since = 0, now
        if self._lines >= _MAX_LINES:
            return False
        self._lines += 1
        peer.logged_at = now
        return True

    def _peer(self, identity: bytes, now: float) -> _Peer:
        peer = self._peers.get(identity)
        if peer is None:
            if len(self._peers) >= _MAX_PEERS:
                del self._peers[next(iter(self._peers))]
            peer = self._peers[identity] = _Peer(now)
        return peer


def is_introduction(frames: list[bytes]) -> bool:
    """Return whether a message is small enough to be what a container says before it has a session."""
    return len(frames) <= _MAX_FRAMES and sum(map(len, frames)) <= _MAX_BYTES
