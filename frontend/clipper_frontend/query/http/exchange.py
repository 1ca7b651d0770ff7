"""One request and the answer it is owed: what the HTTP edge hands to the serving core.

Owns the rule that an exchange is answered once. Knows neither parser nor transport.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

JSON: Final = b"application/json"


class Handler(Protocol):
    """What answers requests."""

    def handle(self, exchange: Exchange) -> None:
        """Take a complete request; call its `respond` now or later, on the event loop's thread."""


class Connection(Protocol):
    """Where an exchange's answer goes."""

    closed: bool

    def deliver(self, exchange: Exchange, status: int, body: bytes, content_type: bytes) -> None:
        """Write the answer when those to earlier requests have been written."""


class Exchange(msgspec.Struct, eq=False):
    """A complete request. `path` is as the client sent it, without the query string; never decoded.

    A Struct because one is made for every query, in half the time that a plain class takes.
    """

    connection: Connection
    method: bytes
    path: bytes
    body: bytes
    keep_alive: bool
    answered: bool = False
    ready: tuple[int, bytes, bytes] | None = None
    """The answer (status, body, content type) while it waits for earlier ones."""

    @property
    def closed(self) -> bool:
        """Return whether the client has gone, so that no answer can reach it."""
        return self.connection.closed

    def respond(self, status: int, body: bytes, content_type: bytes = JSON) -> None:
        """Answer the request. Only the first call counts; after the client has gone none does anything."""
        if not self.answered:
            self.answered = True
            self.connection.deliver(self, status, body, content_type)
