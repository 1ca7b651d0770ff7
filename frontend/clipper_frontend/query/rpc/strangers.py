"""Strangers: peers of the RPC port that have no session. They cost bounded time, memory and log lines.

No socket, no clock. A container that connects is a stranger for two messages. What comes faster than a
container needs is dropped unread, and what is larger than a container's introduction is not read.
"""

from __future__ import annotations

from typing import Final

from clipper_frontend.allowances import Allowances

#: A stranger may send this many messages at once, and so many a second from then on.
_MAX_AT_ONCE: Final = 20.0
_MAX_PER_S: Final = 5.0
#: The largest introduction: names of 255 bytes each, and a few numbers.
_MAX_FRAMES: Final = 12
_MAX_BYTES: Final = 8 * 1024
#: The log lines about one peer, and about all peers together, in each interval.
_LOG_INTERVAL_S: Final = 60.0
_MAX_LINES_OF_A_PEER: Final = 1.0
_MAX_LINES: Final = 100.0


class Strangers:
    """The allowances of peers for messages and for log lines, by the routing id of their connection."""

    def __init__(self) -> None:
        self._messages: Allowances[bytes] = Allowances(_MAX_AT_ONCE, _MAX_PER_S)
        self._lines: Allowances[bytes] = Allowances(
            _MAX_LINES_OF_A_PEER, _MAX_LINES_OF_A_PEER / _LOG_INTERVAL_S
        )
        self._lines_of_all: Allowances[None] = Allowances(_MAX_LINES, _MAX_LINES / _LOG_INTERVAL_S)
        self.dropped_messages = 0

    def __len__(self) -> int:
        return max(len(self._messages), len(self._lines))

    def admits(self, identity: bytes, now: float) -> bool:
        """Return whether another message of this stranger is looked at, and count it."""
        admitted = self._messages.spend(identity, now)
        self.dropped_messages += not admitted
        return admitted

    def may_log(self, identity: bytes, now: float) -> bool:
        """Return whether a line about this peer may be logged: one a minute, and not too many of all."""
        return (
            self._lines.allows(identity, now)
            and self._lines_of_all.spend(None, now)
            and self._lines.spend(identity, now)
        )


def is_introduction(frames: list[bytes]) -> bool:
    """Return whether a message is small enough to be what a container says before it has a session."""
    return len(frames) <= _MAX_FRAMES and sum(map(len, frames)) <= _MAX_BYTES
