"""HTTP/1.1 on one client connection: bytes in, exchanges out.

httptools parses. This module decides what is accepted as a request, what is refused, and when a client has
taken too long. Answers, their order and closing are the pipeline's. The code runs for every query: a callback
that httptools does not find costs nothing, so there is none without need.

Known heads. Clients mostly send the same head again. A head that was accepted once is kept, with what the
parser made of it. If a segment is such a head and its whole body, the request is made without the parser: the
same bytes in the same state would give the same again. Everything else goes through the parser.

Pieces. The parser is fed such that each request begins with a piece: a head ends a piece, and so does its
body. Where a chunked body ends is known to the parser alone, but an empty line is there, so each empty line
ends a piece. So the bytes of each head are known (`_head`), and the facts in them (see heads).

Phases. A connection is in one phase, which describes the request that it receives next:

    FRESH      connected, nothing received
    IDLE       the last request is complete, and nothing is known of the next
    HEAD       part of the request line and headers received
    BODY       headers complete, part of the body still to come
    DISCARD    no further request is read; whatever still arrives is thrown away

    phase    | segment ends | segment ends | request  | this long in the phase (found by the sweep)
             | in the head  | in the body  | complete |
    ---------+--------------+--------------+----------+--------------------------------------------------
    FRESH    | HEAD         | BODY         | IDLE     | header_timeout_s: 408, DISCARD
    IDLE     | HEAD         | BODY         | IDLE     | idle_timeout_s:   close without an answer, DISCARD
    HEAD     | HEAD         | BODY         | IDLE     | header_timeout_s: 408, DISCARD
    BODY     | -            | BODY         | IDLE     | body_timeout_s:   408, DISCARD
    DISCARD  | DISCARD      | DISCARD      | DISCARD  | linger_timeout_s: abort

No limit runs while the connection owes an answer or its reading is paused: the sweep restarts the clock. More
bytes in the same phase do not restart it, so dripping them gains no time.

    event (in any phase but DISCARD)       | then
    ---------------------------------------+----------------------------------------------------------------
    a refusal, see below                   | DISCARD; the refusal is the last answer, then lingering close
    a request that is its client's last    | DISCARD; its answer is the last, then close
    (Connection: close, or HTTP/1.0)       |
    the client has sent all (EOF)          | DISCARD; complete requests are answered, a partial one is dropped
    drain(), in FRESH or IDLE              | close as soon as no answer is owed
    drain(), in HEAD or BODY               | read on; close when that request is answered too

Refusals. Each is answered in its turn, counted by status, and ends the connection:

    400  not accepted by the parser: two lengths, a bad chunk, a bare LF, ...; or HTTP/1.1 without one Host
    405  CONNECT
    408  see the table
    413  a Content-Length above max_body_bytes, before the body is read; else a body that has grown above it
    414  a target above max_url_bytes
    431  a head above max_header_bytes; or more bytes than that which add nothing to a body (chunk extensions,
         trailers)
    503  the bodies of all connections together are too large
    505  another version of HTTP than 1.0 and 1.1

Rules that are easy to break:
 1. A request for another protocol is read as one that does not ask: its head goes through a new parser
    without the upgrade, since the old one skips the body.
 2. `Expect: 100-continue` is honoured only if no part of the body has come and its length is allowed.
 3. Lingering close: closing with unread bytes makes the kernel send a reset, which can destroy the refusal
    before the client has read it. So the server ends its own direction, then reads and discards until the
    client closes; it aborts above linger_bytes or after linger_timeout_s.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httptools

from clipper_frontend.query.http import heads
from clipper_frontend.query.http.connections import Connections
from clipper_frontend.query.http.cors import allow
from clipper_frontend.query.http.exchange import RETRY_AFTER, Exchange, Handler
from clipper_frontend.query.http.heads import Head
from clipper_frontend.query.http.inflating import TOO_MANY_BODIES, TOO_MANY_CAUSE
from clipper_frontend.query.http.known import KnownRequest
from clipper_frontend.query.http.limits import HttpLimits
from clipper_frontend.query.http.pipeline import Pipeline

# The phases, see above. IDLE must be false, and FRESH the only one beside it before HEAD.
IDLE: Final = 0
FRESH: Final = 1
HEAD: Final = 2
BODY: Final = 3
DISCARD: Final = 4

_VERSIONS: Final = (b"1.0", b"1.1")
_ALLOWED: Final = allow("GET", "HEAD", "POST")


class _RefusedError(Exception):
    """Leave the parser: the request has been refused."""


def _discard(data: bytes) -> None:
    """Replace the parser once no further request is read."""


class HttpProtocol(Pipeline):
    """The reading half of a connection, for `loop.create_server`."""

    __slots__ = (
        "_active",
        "_arrived_at",
        "_body",
        "_charge",
        "_clock",
        "_facts",
        "_feed",
        "_head",
        "_known",
        "_known_path",
        "_known_url",
        "_max_body_bytes",
        "_max_header_bytes",
        "_parser",
        "_phase",
        "_quiet_bytes",
        "_seam",
        "_url",
    )

    def __init__(self, handler: Handler, limits: HttpLimits, connections: Connections) -> None:
        super().__init__(handler, limits, connections)
        self._max_header_bytes = limits.max_header_bytes
        self._max_body_bytes = min(limits.max_body_bytes, connections.bodies.max_bytes)
        self._clock = connections.clock
        self._known = connections.known
        # The connection.
        self._use_new_parser()
        self._phase = FRESH
        self._active = False  # a request was completed, and no sweep has come by since
        self._known_url = b""  # of the last request; clients mostly repeat it
        self._known_path = b""
        self._arrived_at = 0.0
        # The request that is being read.
        self._head: bytes | bytearray = b""
        self._facts: Head | None = None
        self._url = b""
        self._body: bytes | bytearray = b""
        self._seam = b""  # the last bytes of the body as it was sent
        self._charge = 0  # the bytes of the body that count among those of all bodies
        self._quiet_bytes = 0  # received since the body last grew

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first request."""
        self._since_s = asyncio.get_running_loop().time()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Break the reference cycle of parser and protocol, and drop the rest."""
        self._feed = _discard
        del self._parser
        self._drop_body()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a segment; requests that it completes go to the handler."""
        self._arrived_at = self._clock.arrival(self._transport)
        if self._fast_path and self._phase <= FRESH:
            end = data.find(heads.END) + 4
            head = data[:end]
            known = self._known.get(head)
            if known is None:
                if end > 4 and self._receive_whole(head, data):
                    return
            elif known.body_bytes == len(data) - end:
                self._phase = IDLE
                self._active = True
                exchange = Exchange(
                    self,
                    known.method,
                    known.path,
                    data[end:],
                    True,
                    known.head,
                    self._arrived_at,
                    False,
                    known.plain,
                )
                if len(self._pending) < self._max_pipelined:
                    self._pending.append(exchange)
                    self._answer(exchange)
                else:
                    self._submit(exchange)
                return
        self._receive(data)

    def check(self, now_s: float) -> None:
        """Enforce the time limits of the phases; `now_s` is the loop's time."""
        if not self._client_reads(now_s):
            return
        if self._active or not self._reading or (not self.closed and (self._pending or self._backlog)):
            self._active = False
            self._since_s = now_s
        elif now_s - self._since_s > self._timeout_s():
            self._on_timeout()

    # Requests.

    def _receive_whole(self, head: bytes, data: bytes) -> bool:
        """Take a segment that is one request; return False, and do nothing, if it is not just that."""
        facts = heads.read(head)
        rest = len(data) - len(head)
        if facts.hosts != 1 or facts.version != b"1.1" or facts.is_chunked or facts.content_length != rest:
            return False
        if len(head) > self._max_header_bytes or rest > self._max_body_bytes:
            return False
        self._phase = HEAD
        self._head, self._facts = head, facts
        self._parse(data)
        if self._phase == HEAD:  # it asked for another protocol (rule 1)
            self._begin_body(is_there=True)
            self._receive(data[len(head) :])
        return True

    def _receive(self, data: bytes) -> None:
        """Feed the parser piece by piece."""
        at = 0
        while at < len(data) and self._phase != DISCARD:
            at = self._receive_body(data, at) if self._phase == BODY else self._receive_head(data, at)
        if self._phase == DISCARD:
            self._quiet_bytes += len(data) - at
            if self._quiet_bytes > self._limits.linger_bytes:
                self.abort()

    def _receive_head(self, data: bytes, at: int) -> int:
        """Take the head that begins or goes on at `at`, as far as it is there; return where it ends."""
        if self._phase != HEAD:
            self._begin_head()
        end = heads.end_in(self._head, data, at)
        piece = data[at:] if end < 0 else data[at:end]
        self._head += piece
        if len(self._head) > self._max_header_bytes:
            self._refuse_head()
        elif end < 0:
            self._parse(piece)
            if len(self._url) > self._limits.max_url_bytes:
                self._refuse_url()
        elif self._head.isspace():
            self._parse(piece)  # empty lines before a request line
        elif self._accept_head():
            self._parse(piece)
            if self._phase == HEAD:
                self._begin_body(is_there=end < len(data))
        return at + len(piece)

    def _begin_head(self) -> None:
        self._phase = HEAD
        self._active = False
        self._head = bytearray()
        self._since_s = asyncio.get_running_loop().time()

    def _accept_head(self) -> bool:
        """Return whether the head is one that this server answers; if not, refuse it."""
        facts = self._facts = heads.read(bytes(self._head.lstrip(b"\r\n")))
        if facts.version and facts.version not in _VERSIONS:
            cause = f"this server speaks HTTP/1.1 and HTTP/1.0, not HTTP/{facts.version.decode()}"
            self._refuse(505, "HTTP version not supported", cause)
        elif facts.hosts > 1 or (facts.version == b"1.1" and not facts.hosts):
            self._refuse(400, "Bad request", f"HTTP/1.1 wants one Host header, and there are {facts.hosts}")
        else:
            return True
        return False

    def _begin_body(self, *, is_there: bool) -> None:
        """Check the declared length of a body that is still to come; promise 100 Continue if it is due."""
        assert self._facts is not None
        self._phase = BODY
        self._seam = b""
        self._quiet_bytes = 0
        self._since_s = asyncio.get_running_loop().time()
        if self._facts.content_length > self._max_body_bytes:
            self._refuse_body()
        elif not is_there and heads.expects_continue(bytes(self._head)):
            self._promise_continue()

    def _receive_body(self, data: bytes, at: int) -> int:
        """Take a piece of the body at `at`; return where it ends."""
        assert self._facts is not None
        before = len(self._body)
        end = at + self._max_header_bytes
        if self._facts.is_chunked:
            empty_line = heads.end_in(self._seam, data, at)
            end = min(end, empty_line) if empty_line > 0 else end
        else:
            end = min(end, at + self._facts.content_length - before)
        piece = data[at:end]
        self._parse(piece)
        self._seam = (self._seam + piece[-3:])[-3:]
        if self._phase == BODY:
            self._check_growth(before, len(piece))
        return at + len(piece)

    def _check_growth(self, before: int, received: int) -> None:
        """Count what has come of a body that is not complete."""
        grown = len(self._body) - before
        if grown:
            self._quiet_bytes = 0
        else:
            # Chunk extensions and trailers: nothing in them is used.
            self._quiet_bytes += received
            if self._quiet_bytes > self._max_header_bytes:
                self._refuse_head()
                return
        missing = len(self._body) - self._charge
        if self._bodies.take(missing):
            self._charge += missing
        else:
            self._refuse_bodies()

    def _parse(self, piece: bytes) -> None:
        try:
            self._feed(piece)
        except httptools.HttpParserUpgrade:
            self._ignore_upgrade()
        except httptools.HttpParserCallbackError:
            if self._phase != DISCARD:
                raise
        except httptools.HttpParserError as error:
            if self._phase != DISCARD:
                self._refuse(400, "Bad request", f"not HTTP/1.1: {error}")

    # Called by the parser, by name.

    def on_url(self, url: bytes) -> None:
        """Collect the request target, which may come in parts."""
        self._url = self._url + url if self._url else url

    def on_body(self, chunk: bytes) -> None:
        """Collect the body; a body in one piece is not copied."""
        body = self._body
        if not body:
            self._body = chunk
            size = len(chunk)
        else:
            if type(body) is bytes:
                body = self._body = bytearray(body)
            body += chunk
            size = len(body)
        if size > self._max_body_bytes:
            self._refuse_body()
            raise _RefusedError

    def on_message_complete(self) -> None:
        """Submit the request and prepare for the next."""
        parser, facts = self._parser, self._facts
        if parser.should_upgrade():
            return  # it is read again, as a normal request
        if facts is None:
            self._refuse(400, "Bad request", "a request begins within another")
            raise _RefusedError
        url = self._url
        if url != self._known_url:
            self._learn_url(url)
        keep_alive = parser.should_keep_alive()
        exchange = self._exchange(parser.get_method(), facts, keep_alive)
        self._url = self._body = self._head = b""
        self._facts = None
        self._phase = IDLE
        self._active = True
        if not keep_alive:
            self._end()
        if self._fast_path and len(self._pending) < self._max_pipelined and self._turn_left:
            self._turn_left -= 1
            self._hand_over(exchange)
        else:
            self._submit(exchange)

    def _exchange(self, method: bytes, facts: Head, keep_alive: bool) -> Exchange:
        body = self._body if type(self._body) is bytes else bytes(self._body)
        exchange = Exchange(self, method, self._known_path, body, keep_alive, facts, self._arrived_at)
        if method == b"HEAD":
            exchange.plain = False
        if self._charge:
            self._bodies.add(len(body) - self._charge)
            exchange.charge, self._charge = len(body), 0
            exchange.plain = False
        if keep_alive and not facts.is_chunked and not facts.coding and facts.content_length == len(body):
            known = KnownRequest(method, self._known_path, facts, len(body), method != b"HEAD")
            self._known.add(bytes(self._head), known)
        return exchange

    # Off the fast path.

    def _use_new_parser(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._feed = self._parser.feed_data

    def _learn_url(self, url: bytes) -> None:
        if len(url) > self._limits.max_url_bytes:
            self._refuse_url()
            raise _RefusedError
        self._known_path = heads.path_of(url)
        self._known_url = url

    def _ignore_upgrade(self) -> None:
        """Read a request that asks for another protocol as one that does not (rule 1)."""
        method = self._parser.get_method()
        if method == b"CONNECT":
            cause = "CONNECT is for proxies: this is an HTTP server"
            self._refuse(405, "Method not allowed", cause, _ALLOWED)
            return
        head = heads.without_upgrade(bytes(self._head), method, self._url, self._parser.get_http_version())
        self._use_new_parser()
        self._url = b""
        self._parse(head)

    # Ends.

    def _mid_request(self) -> bool:
        return HEAD <= self._phase <= BODY

    def _end(self) -> None:
        super()._end()
        self._feed = _discard
        self._phase = DISCARD
        self._drop_body()
        self._url = self._head = b""
        self._quiet_bytes = 0
        self._since_s = asyncio.get_running_loop().time()

    def _drop_body(self) -> None:
        self._bodies.give(self._charge)
        self._charge = 0
        self._body = b""

    def _timeout_s(self) -> float:
        limits = self._limits
        if self._phase == IDLE:
            return limits.idle_timeout_s
        if self._phase == DISCARD:
            return limits.linger_timeout_s
        return limits.body_timeout_s if self._phase == BODY else limits.header_timeout_s

    def _on_timeout(self) -> None:
        if self._phase == DISCARD:
            self.abort()
        elif self._phase == IDLE:
            self._end()
            self._close_if_finished()
        else:
            part = "body" if self._phase == BODY else "header"
            self._refuse(
                408, "Request timeout", f"the {part} was not complete within {self._timeout_s():g} s"
            )

    def _refuse_url(self) -> None:
        self._refuse(414, "URI too long", f"the URL is longer than {self._limits.max_url_bytes} bytes")

    def _refuse_head(self) -> None:
        self._refuse(
            431,
            "Request header fields too large",
            f"the header is longer than {self._max_header_bytes} bytes",
        )

    def _refuse_body(self) -> None:
        self._refuse(413, "Payload too large", f"the body is longer than {self._max_body_bytes} bytes")

    def _refuse_bodies(self) -> None:
        self._refuse(503, TOO_MANY_BODIES, TOO_MANY_CAUSE, RETRY_AFTER)
