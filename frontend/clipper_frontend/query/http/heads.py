"""Look-ups in the bytes of a request's head, for what the parser does not report. Pure functions.

They cover the request target and the few headers that matter before a body has come. All heads have been
accepted by the parser: lines end in CR LF, and there is at most one Content-Length.
"""

from __future__ import annotations

import re
from typing import Final

END: Final = b"\r\n\r\n"

_CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)", re.IGNORECASE)
_EXPECTS_CONTINUE: Final = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_OF_BODY: Final = re.compile(rb"\r\n((?:content-length|transfer-encoding|expect):[^\r]*)", re.IGNORECASE)


def head_in(data: bytes) -> bytes:
    """Return the head at the start of `data`, without empty lines before it."""
    head, end, _ = data.lstrip(b"\r\n").partition(END)
    return head + end


def content_length(head: bytes) -> int:
    """Return the declared length of the body in bytes, or 0."""
    found = _CONTENT_LENGTH.search(head)
    return int(found[1]) if found else 0


def expects_continue(head: bytes) -> bool:
    """Return whether the client waits for 100 Continue before it sends its body."""
    return _EXPECTS_CONTINUE.search(head) is not None


def without_upgrade(head: bytes, method: bytes, url: bytes, version: str) -> bytes:
    """Return a head of the same request that does not ask for another protocol."""
    return b"\r\n".join((b"%b %b HTTP/%b" % (method, url, version.encode()), *_OF_BODY.findall(head))) + END


def head_bytes_with(begun: bytes | bytearray, data: bytes) -> int:
    """Return the length of a head of which `begun` was received before; `data` may contain its end."""
    tail = bytes(begun[1 - len(END) :])
    end = (tail + data).find(END)
    return len(begun) + (len(data) if end < 0 else end + len(END) - len(tail))


def path_of(url: bytes) -> bytes:
    """Return the path of a request target, without the query string; `*` is a path of its own."""
    path = url.partition(b"?")[0]
    if path.startswith(b"/"):
        return path
    _, is_absolute, rest = path.partition(b"://")
    return b"/" + rest.partition(b"/")[2] if is_absolute else path
