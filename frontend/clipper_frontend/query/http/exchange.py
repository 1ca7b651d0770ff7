"""An exchange: one request and the answer that it is owed. It is answered once."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import msgspec

from clipper_frontend.query.http.heads import Head

JSON: Final = b"application/json"
#: For an answer that counts on being asked again soon.
RETRY_AFTER: Final = b"Retry-After: 1\r\n"


class Handler(Protocol):
    """The application behind the HTTP edge: it answers requests."""

    def handle(self, exchange: Exchange) -> None:
        """Answer a complete request: call `respond` now or later, on the event loop's thread."""


class Connection(Protocol):
    """The receiver of an exchange's answer."""

    @property
    def peer(self) -> str:
        """Return the client's IP address."""

    def deliver(
        self, exchange: Exchange, status: int, body: bytes, content_type: bytes, headers: bytes
    ) -> None:
        """Write the answer once those to earlier requests are written."""


class Work(Protocol):
    """The work for an answer."""

    def abandon(self) -> None:
        """Stop it: nobody waits for the answer any more."""


class Answer(NamedTuple):
    """An answer; `headers` are lines that end in CR LF."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: bytes = b""


class Exchange(msgspec.Struct, eq=False):
    """A complete request. `path` is as the client sent it, not decoded, without the query string.

    One is made for every query: a Struct takes half the time that a plain class takes.
    """

    connection: Connection
    method: bytes
    path: bytes
    body: bytes
    keep_alive: bool
    head: Head
    #: The time from which on the request could have been read, on the monotonic clock.
    arrived_at: float = 0.0
    answered: bool = False
    #: Whether the answer needs nothing but a status and a body.
    plain: bool = True
    #: Lines for the head of the answer, whatever it is.
    headers: bytes = b""
    #: The bytes of the body that count among those of all bodies, until the request is answered.
    charge: int = 0
    #: The work that the answer waits for; stopped if the client goes.
    work: Work | None = None
    #: The answer while it waits for earlier ones.
    ready: Answer | None = None

    def respond(self, status: int, body: bytes, content_type: bytes = JSON, headers: bytes = b"") -> None:
        """Answer the request. Only the first call counts; nothing is sent if the client has gone."""
        if not self.answered:
            self.answered = True
            self.work = None  # it knows this exchange: no cycle may be left
            self.connection.deliver(self, status, body, content_type, headers)

    def add_headers(self, headers: bytes) -> None:
        """Add lines to the head of the answer, whatever it will be."""
        self.headers += headers
        self.plain = False
