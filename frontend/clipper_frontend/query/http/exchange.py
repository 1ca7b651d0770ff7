"""An exchange: one request and the answer that it is owed. It is answered once."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

JSON: Final = b"application/json"


class Handler(Protocol):
    """The application behind the HTTP edge: it answers requests."""

    def handle(self, exchange: Exchange) -> None:
        """Answer a complete request: call `respond` now or later, on the event loop's thread."""


class Connection(Protocol):
    """The receiver of an exchange's answer."""

    @property
    def peer(self) -> str:
        """Return the client's IP address."""

    def deliver(self, exchange: Exchange, status: int, body: bytes, content_type: bytes) -> None:
        """Write the answer once those to earlier requests are written."""


class Exchange(msgspec.Struct, eq=False):
    """A complete request. `path` is as the client sent it, not decoded, without the query string.

    One is made for every query: a Struct takes half the time that a plain class takes.
    """

    connection: Connection
    method: bytes
    path: bytes
    body: bytes
    keep_alive: bool
    answered: bool = False
    #: The answer (status, body, content type) while it waits for earlier ones.
    ready: tuple[int, bytes, bytes] | None = None

    def respond(self, status: int, body: bytes, content_type: bytes = JSON) -> None:
        """Answer the request. Only the first call counts; nothing is sent if the client has gone."""
        if not self.answered:
            self.answered = True
            self.connection.deliver(self, status, body, content_type)
