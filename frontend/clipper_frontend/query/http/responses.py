"""The bytes of HTTP/1.1 responses: their heads, ready-made for the most frequent answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_OK_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n"
    b"Connection: keep-alive\r\n"
    b"Content-Length: %d\r\n\r\n"
)
#: The heads of status 200 and JSON on a connection that stays open, by the length of the body. Nearly every
#: answer is one of these. Together they take 150 kB.
OK_JSON_HEADS: Final = tuple(_OK_HEAD % length for length in range(1024))


def render_response(status: int, body: bytes, content_type: bytes, *, last: bool, head_only: bool) -> bytes:
    """Return a whole response. `last` announces that the connection closes; `head_only` answers a HEAD."""
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nConnection: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        _REASONS.get(status, b"Unknown"),
        content_type,
        b"close" if last else b"keep-alive",
        len(body),
        b"" if head_only else body,
    )
