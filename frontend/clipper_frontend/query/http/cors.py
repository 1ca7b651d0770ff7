"""Headers for browsers: the web pages whose scripts may read an answer (CORS), and a path's methods."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

_ANY: Final = b"*"
_PREFLIGHT: Final = (
    b"Access-Control-Allow-Methods: POST\r\n"
    b"Access-Control-Allow-Headers: Content-Type, Content-Encoding\r\n"
    b"Access-Control-Max-Age: 600\r\n"
)


def allow(*methods: str) -> bytes:
    """Return the header that names the methods of a path."""
    return f"Allow: {', '.join((*methods, 'OPTIONS'))}\r\n".encode()


def readable_by(origins: Set[bytes], origin: bytes) -> bytes:
    """Return the headers that let a page of `origin` read an answer, if it is among `origins`."""
    if _ANY in origins:
        return b"Access-Control-Allow-Origin: *\r\n"
    if origin not in origins:
        return b"Vary: Origin\r\n"
    return b"Access-Control-Allow-Origin: %b\r\nVary: Origin\r\n" % origin


def preflight(origins: Set[bytes], origin: bytes) -> bytes:
    """Return the headers of the answer to a browser that asks before it queries; none for other origins."""
    allowed = _ANY in origins or origin in origins
    return _PREFLIGHT if origin and allowed else b""
