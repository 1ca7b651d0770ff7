"""Look-ups in the bytes of a request's head, for what the parser does not report. Pure functions.

They cover the request target, the version and the few headers that matter. What they find counts only if
the parser accepts the head too: it refuses two lengths, a length that is no number, a space before a colon,
folded lines and lines that do not end in CR LF.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from clipper_frontend.codings import takes_gzip

END: Final = b"\r\n\r\n"
#: A length above all that is allowed. Leading zeros are no digits, and longer numbers are not read.
HUGE: Final = 2**63
_MAX_DIGITS: Final = 18

_EXPECTS_CONTINUE: Final = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_OF_BODY: Final = re.compile(rb"\r\n((?:content-length|transfer-encoding|expect):[^\r]*)", re.IGNORECASE)
_NO_CODING: Final = b"identity"
_ORIGIN_AT: Final = b"\r\norigin:"
_HTTP: Final = b" HTTP/"


class Head(msgspec.Struct, frozen=True, gc=False):
    """The facts of a request's head. Texts are as sent, but in lower case.

    `version` is empty if there is no request line. `coding` is the body's Content-Encoding, empty for none;
    `takes_gzip` is whether the answer may be compressed, and `origin` the web page that asks.
    """

    version: bytes = b"1.1"
    hosts: int = 1
    content_length: int = 0
    is_chunked: bool = False
    coding: bytes = b""
    takes_gzip: bool = False
    origin: bytes = b""


def read(head: bytes) -> Head:
    """Return the facts of a head, without empty lines before it. It runs for each head that is new."""
    lower = head.lower()
    coding = accepted = b""
    if b"-encoding:" in lower:
        coding = _value(lower, b"\r\ncontent-encoding:")
        accepted = _value(lower, b"\r\naccept-encoding:")
    return Head(
        _version(head),
        lower.count(b"\r\nhost:"),
        content_length(lower),
        b"\r\ntransfer-encoding:" in lower,
        b"" if coding == _NO_CODING else coding,
        bool(accepted) and takes_gzip(accepted),
        _value(lower, _ORIGIN_AT) if _ORIGIN_AT in lower else b"",
    )


def _version(head: bytes) -> bytes:
    """Return the version at the end of the request line, or nothing if it has none."""
    line = head[: head.find(b"\r\n")]
    _, _, version = line.rpartition(_HTTP)
    return version if len(version) == 3 and version.replace(b".", b"").isdigit() else b""


def _value(lower: bytes, name: bytes) -> bytes:
    """Return the values of a header in a head in lower case; `name` is with what stands around it."""
    values = [line[: line.find(b"\r")].strip() for line in lower.split(name)[1:]]
    return b",".join(values)


def content_length(lower: bytes) -> int:
    """Return the declared length of the body in bytes, or 0; the head is in lower case."""
    digits = _value(lower, b"\r\ncontent-length:")
    if len(digits) > _MAX_DIGITS:
        digits = digits.lstrip(b"0")
        if len(digits) > _MAX_DIGITS:
            return HUGE
    return int(digits) if digits.isdigit() else 0


def expects_continue(head: bytes) -> bool:
    """Return whether the client waits for 100 Continue before it sends its body."""
    return _EXPECTS_CONTINUE.search(head) is not None


def without_upgrade(head: bytes, method: bytes, url: bytes, version: str) -> bytes:
    """Return a head of the same request that does not ask for another protocol."""
    return b"\r\n".join((b"%b %b HTTP/%b" % (method, url, version.encode()), *_OF_BODY.findall(head))) + END


def end_in(before: bytes | bytearray, data: bytes, start: int = 0) -> int:
    """Return where in `data` the first empty line from `start` on ends, or -1.

    It may have begun at the end of what was received `before`.
    """
    seam = bytes(before[1 - len(END) :])
    if seam:
        end = (seam + data[start : start + len(END) - 1]).find(END)
        if end >= 0:
            return start + end + len(END) - len(seam)
    end = data.find(END, start)
    return end if end < 0 else end + len(END)


def path_of(url: bytes) -> bytes:
    """Return the path of a request target, without the query string; `*` is a path of its own."""
    path = url.partition(b"?")[0]
    if path.startswith(b"/"):
        return path
    _, is_absolute, rest = path.partition(b"://")
    return b"/" + rest.partition(b"/")[2] if is_absolute else path
