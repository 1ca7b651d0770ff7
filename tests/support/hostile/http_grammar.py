"""Requests of HTTP/1.1 as bytes, right ones and wrong ones, each with what its sender is owed."""

from __future__ import annotations

import enum
import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

#: Whether an answer is right: status, body.
Check = Callable[[int, bytes], bool]


class Owed(enum.Enum):
    """The answer that a server owes to one request."""

    #: One answer, and the next request is read.
    ANSWER = "one answer"
    #: One answer, after which the connection may end: nothing is sent behind this request.
    LAST = "one answer, then perhaps a close"
    #: One answer of 4xx, and a close.
    REFUSAL = "one refusal"
    #: The request is not complete: a refusal, or nothing.
    NOTHING = "a refusal or nothing"


@dataclass(frozen=True)
class Request:
    """One request. `head_only` answers have no body; `interim` ones may begin with 100 Continue."""

    data: bytes
    owed: Owed = Owed.ANSWER
    head_only: bool = False
    interim: bool = False
    check: Check | None = None


@dataclass(frozen=True)
class Call:
    """A method, a target and a body, before they are put into a request."""

    method: str
    target: bytes
    body: bytes = b""
    check: Check | None = None


_HOST = b"Host: 127.0.0.1\r\n"
_ODD_HEADERS = (
    *(b"X-Empty:", b"X-Spaces:   \t  a  ", b"x-lower: 1", b"X-Long: " + b"y" * 5000, b"Accept: */*"),
    *(b"X-Bytes: \xe9\xff", b"Cookie: a=b; c=d"),
    *(b"Accept-Encoding: gzip, br;q=0", b"Connection: keep-alive", b"Connection: ,,", b"!#$%&'*+-.^_`|~: 1"),
    *(b"Range: bytes=0-1", b"If-None-Match: *"),
)
_TYPES = (
    *(b"text/plain", b"a/b; c=\xff", b"application/json; charset=utf-16", b"application/json", b"", b"\t,"),
    *(b"multipart/form-data", b"application/x-www-form-urlencoded", b"application/octet-stream"),
)
_SURELY_WRONG = (
    *(b"Content-Length: -1", b"Content-Length: 5, 6", b"Content-Length: 0x5", b"Content-Length: 1e3"),
    *(b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: +5", b"No colon here", b": no name"),
    *(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Bad Name: 1", b"Content-Length: ten"),
)
_PERHAPS_WRONG = (
    *(b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: xchunked"),
    *(b"X-Fold: a\r\n b", b"X-Nul: \0", b"X-Bare: a\nb: c", b"X-Space : 1", b"X-Cr: a\rb", b"Expect: 200-ok"),
    *(b"Content-Encoding: gzip", b"Content-Encoding: br", b"X-Huge: " + b"z" * 70_000, b"TE: trailers"),
    *(b"Host: a\r\nHost: b", b"Host: evil.test", b"Origin: http://evil.test", b"Connection: Upgrade, close"),
    *(b"Content-Length: " + b"9" * 5000, b"Content-Length: " + b"0" * 5000 + b"2", b"Upgrade: h2c"),
    *(
        b"Content-Length: 99999999999999999999",
        b"Sec-Fetch-Site: none",
        b"Content-Type: a/b\r\nContent-Type: c/d",
        b"Content-Length:",
    ),
)
_ODD_LINES = (
    *(
        b"GET /\r\n",
        b"GET / HTTP/2.0\r\n",
        b"GET / HTTP/0.9\r\n",
        b"GET / HTTP/1.2\r\n",
        b"GET / http/1.1\r\n",
    ),
    *(
        b"get / HTTP/1.1\r\n",
        b"FOO / HTTP/1.1\r\n",
        b"GET  / HTTP/1.1\r\n",
        b"GET / HTTP/1.1 \r\n",
        b"\x16\x03\x01",
    ),
    *(
        b"GET /\xff HTTP/1.1\r\n",
        b"GET /\0 HTTP/1.1\r\n",
        b"GET / x HTTP/1.1\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
    ),
    *(b"PRI * HTTP/2.0\r\n", b"GET /" + b"u" * 9000 + b" HTTP/1.1\r\n", b"GET a HTTP/1.1\r\n", b"\0\0\0\r\n"),
)
_METHODS = ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "GET", "HEAD", "REPORT", "QUERY")
_TARGETS = (
    *(b"/", b"//", b"/%", b"/%2e%2e/%2e%2e/etc/passwd", b"/../..", b"/%00", b"/a%2Fpredict", b"/?a=b#c"),
    *(b"/health/live", b"/health/ready", b"/health/live/", b"/metrics", b"/metrics?x=1", b"/admin/ping"),
    *(b"http://127.0.0.1/health/live", b"/unknown/predict", b"/%ff/predict", b"/a/b/c/predict", b"/;/update"),
    *(b"/admin/openapi.json", b"/admin/", b"/admin/unknown", b"/favicon.ico", b"/" + b"p" * 4000),
)


def any_call(rng: random.Random) -> Call:
    """Return a call of a method and a target that need not fit."""
    method = rng.choice((*_METHODS, "GET", "POST"))
    body = rng.randbytes(rng.randrange(200)) if method in ("PUT", "POST", "PATCH") else b""
    return Call(method, b"*" if method == "OPTIONS" and rng.random() < 0.3 else rng.choice(_TARGETS), body)


def right(rng: random.Random, call: Call) -> Request:
    """Return a request that every server must read as this call, in one of its many forms."""
    headers = [header + b"\r\n" for header in rng.sample(_ODD_HEADERS, rng.choice((0, 0, 1, 3)))]
    if rng.random() < 0.3:
        headers.append(b"Content-Type: %b\r\n" % rng.choice(_TYPES))
    body, interim = call.body, bool(call.body) and rng.random() < 0.1
    if interim:
        headers.append(b"Expect: 100-continue\r\n")
    if call.body and rng.random() < 0.3:
        headers.append(b"Transfer-Encoding: chunked\r\n")
        body = _chunked(rng, body)
    elif call.body or call.method in ("POST", "PUT", "PATCH"):
        headers.append(b"Content-Length: %d\r\n" % len(body))
    rng.shuffle(headers)
    line = b"%b %b HTTP/1.1\r\n" % (call.method.encode(), call.target)
    data = line + _HOST + b"".join(headers) + b"\r\n" + body
    return Request(data, Owed.ANSWER, call.method == "HEAD", interim, call.check)


def _chunked(rng: random.Random, body: bytes) -> bytes:
    parts = []
    while body:
        size = rng.randrange(1, len(body) + 1)
        digits = rng.choice((b"%x", b"%X", b"00%x")) % size
        extension = rng.choice((b"", b"", b";a", b';a="b c"'))
        parts.append(digits + extension + b"\r\n" + body[:size] + b"\r\n")
        body = body[size:]
    return b"".join(parts) + b"0\r\n" + rng.choice((b"", b"X-Trailer: 1\r\n")) + b"\r\n"


def last(rng: random.Random, call: Call) -> Request:
    """Return a request that ends its connection: at its sender's wish, wrong, or not complete."""
    # A server that does not know the method yet refuses with a body, whatever the method is.
    call = replace(call, method="GET") if call.method == "HEAD" else call
    make = rng.choice((_closing, _wrong, _wrong, _perhaps_wrong, _perhaps_wrong, _odd_line, _cut, _bad_chunk))
    return make(rng, call)


def _with_header(call: Call, header: bytes, body: bytes, version: bytes = b"1.1") -> bytes:
    line = b"%b %b HTTP/%b\r\n" % (call.method.encode(), call.target, version)
    return line + _HOST + header + b"\r\n\r\n" + body


def _closing(rng: random.Random, call: Call) -> Request:
    version, header = rng.choice(((b"1.1", b"Connection: close"), (b"1.0", b"X-Old: 1")))
    header += b"\r\nContent-Length: %d" % len(call.body)
    data = _with_header(call, header, call.body, version)
    return Request(data, Owed.LAST, check=call.check)


def _wrong(rng: random.Random, call: Call) -> Request:
    return Request(_with_header(call, rng.choice(_SURELY_WRONG), b""), Owed.REFUSAL)


def _perhaps_wrong(rng: random.Random, call: Call) -> Request:
    header = rng.choice(_PERHAPS_WRONG)
    if b"-Length" in header:
        # A server may wait for so long a body.
        return Request(_with_header(call, header, b"{}"), Owed.NOTHING)
    if b"Transfer" in header:
        return Request(_with_header(call, header, b"0\r\n\r\n"), Owed.NOTHING)
    body = gzip.compress(call.body)[: rng.choice((10, 1000))] if b"gzip" in header else call.body
    header += b"\r\nContent-Length: %d" % len(body)
    return Request(_with_header(call, header, body), Owed.LAST)


def _odd_line(rng: random.Random, call: Call) -> Request:  # noqa: ARG001 (as all that make a last request)
    return Request(rng.choice(_ODD_LINES) + _HOST + b"\r\n", Owed.NOTHING)


def _bad_chunk(rng: random.Random, call: Call) -> Request:
    chunk = rng.choice(
        (b"x\r\n", b"-1\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"1\r\na0\r\n\r\n", b"f" * 20 + b"\r\n", b"\r\n")
    )
    return Request(_with_header(call, b"Transfer-Encoding: chunked", chunk), Owed.NOTHING)


def _cut(rng: random.Random, call: Call) -> Request:
    data = right(rng, call).data
    return Request(data[: rng.randrange(len(data))], Owed.NOTHING)


def pieces(rng: random.Random, data: bytes) -> list[bytes]:
    """Return the bytes in the segments in which they are sent."""
    kind = rng.randrange(4)
    if kind == 0 or len(data) < 2:
        return [data]
    if kind == 1 and len(data) < 400:
        return [data[i : i + 1] for i in range(len(data))]
    cuts = sorted(rng.sample(range(1, len(data)), min(len(data) - 1, rng.randrange(1, 8))))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
