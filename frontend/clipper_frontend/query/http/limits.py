"""What one client may ask of the HTTP edge: sizes and times.

Owns the numbers and why they are what they are. Knows nothing of sockets.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The limits of every connection. Sizes in bytes, times in seconds."""

    max_body_bytes: int = 64 * MIB
    """A longer body is answered with 413."""
    max_header_bytes: int = 64 * 1024
    """Request line and headers together; more is answered with 431."""
    max_url_bytes: int = 8 * 1024
    """A longer request target is answered with 414."""
    max_pipelined: int = 64
    """Requests of one connection that the handler may have unanswered; more wait unread."""
    header_timeout_s: float = 10.0
    """From the first byte of a request (or the connect) to the end of its headers; then 408."""
    body_timeout_s: float = 60.0
    """From the end of the headers to the end of the body; then 408."""
    idle_timeout_s: float = 75.0
    """A kept-alive connection without a request is closed then, and so is one whose client reads nothing."""
    linger_timeout_s: float = 10.0
    """After a refusal the client may go on sending this long, so that it sees the answer and not a reset."""
    linger_bytes: int = 256 * MIB
    """The most that is read and thrown away after a refusal: four times the largest body."""
    write_buffer_bytes: int = 256 * 1024
    """Answers that wait for a slow client; above this, no more of its requests are read."""

    @property
    def sweep_interval_s(self) -> float:
        """Return how often connections are checked: often enough for the shortest of the timeouts."""
        shortest = min(self.header_timeout_s, self.body_timeout_s, self.idle_timeout_s, self.linger_timeout_s)
        return min(0.5, shortest / 4)
