"""The limits of one client connection, in sizes and times, and their reasons."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The limits of every connection. Sizes in bytes, times in seconds."""

    #: A longer body is answered with 413.
    max_body_bytes: int = 64 * MIB
    #: The bodies of all connections together, see BodyBudget; more is answered with 503.
    body_memory_bytes: int = 256 * MIB
    #: Request line and headers together; more is answered with 431.
    max_header_bytes: int = 64 * 1024
    #: A longer request target is answered with 414.
    max_url_bytes: int = 8 * 1024
    #: Requests of one connection that the handler may hold unanswered; further ones wait unread.
    max_pipelined: int = 64
    #: Requests of one connection that are handed out in one turn of the event loop.
    max_per_turn: int = 16
    #: From the first byte of a request (or from connecting) to the end of its headers; then 408.
    header_timeout_s: float = 10.0
    #: From the end of the headers to the end of the body; then 408.
    body_timeout_s: float = 60.0
    #: A kept-alive connection is closed after this time without a request; one whose client takes none of
    #: the unsent answers, too.
    idle_timeout_s: float = 75.0
    #: After a refusal the client may keep sending this long, so that it sees the answer and not a reset.
    linger_timeout_s: float = 10.0
    #: At most this much is read and discarded after a refusal: four times the largest body.
    linger_bytes: int = 256 * MIB
    #: Unsent answers to a slow client; above this, no more of its requests are read.
    write_buffer_bytes: int = 256 * 1024

    @property
    def sweep_interval_s(self) -> float:
        """Return how often connections are checked: often enough for the shortest of the timeouts."""
        shortest = min(self.header_timeout_s, self.body_timeout_s, self.idle_timeout_s, self.linger_timeout_s)
        return min(0.5, shortest / 4)
