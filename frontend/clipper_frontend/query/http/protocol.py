"""HTTP/1.1 on one client connection: bytes in, exchanges out.

httptools parses. This module decides what is accepted as a request, what is refused, and when a client has
taken too long. Answers, their order and closing are the pipeline's. The code runs for every query: a callback
that httptools does not find costs nothing, so there is none without need.

Phases. A connection is in one phase, which describes the request that it receives next:

    FRESH      connected, nothing received
    IDLE       the last request is complete, and nothing is known of the next
    HEAD       part of the request line and headers received
    HEAD_DONE  headers complete; lasts until the end of the segment that they ended in, then it is BODY
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
    drain(), in HEAD, HEAD_DONE or BODY    | read on; close when that request is answered too

Refusals. Each is answered in its turn, counted by status, and ends the connection:

    400  not accepted by the parser: not HTTP/1.1, two lengths, a bad chunk, a bare LF, ...; or an upgrade is
         asked for behind another request in the same segment, so that its head cannot be read again
    405  CONNECT
    408  see the table
    413  a Content-Length above max_body_bytes, before the body is read; else a body that has grown above it
    414  a target above max_url_bytes
    431  a head above max_header_bytes; or more bytes than that which add nothing to a body (chunk extensions,
         trailers)

Rules that are easy to break:
 1. Nothing longer than max_header_bytes is fed to the parser at once. So a head that arrives whole cannot be
    too long, and only a head in several segments is counted.
 2. Only a head in several segments is kept in `_head`, and not the part that came in one segment with the
    end of another request (`_head_cut`). A length or an Expect in that part goes unseen: too long a body is
    refused as it grows. Such a head counts as begun with the first byte of its target.
 3. A request for another protocol is read as one that does not ask: its head goes through a new parser
    without the upgrade, since the old one skips the body.
 4. `Expect: 100-continue` is honoured only if no part of the body has come and its length is allowed.
 5. Lingering close: closing with unread bytes makes the kernel send a reset, which can destroy the refusal
    before the client has read it. So the server ends its own direction, then reads and discards until the
    client closes; it aborts above linger_bytes or after linger_timeout_s.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httptools

from clipper_frontend.query.http import heads
from clipper_frontend.query.http.connections import Connections
from clipper_frontend.query.http.exchange import Exchange, Handler
from clipper_frontend.query.http.limits import HttpLimits
from clipper_frontend.query.http.pipeline import Pipeline

# The phases, see above. IDLE must be false.
IDLE: Final = 0
FRESH: Final = 1
HEAD: Final = 2
HEAD_DONE: Final = 3
BODY: Final = 4
DISCARD: Final = 5


class _RefusedError(Exception):
    """Leave the parser: the request has been refused."""


def _discard(data: bytes) -> None:
    """Replace the parser once no further request is read."""


class HttpProtocol(Pipeline):
    """The reading half of a connection, for `loop.create_server`."""

    __slots__ = (
        "_active",
        "_body",
        "_body_seen",
        "_feed",
        "_head",
        "_head_cut",
        "_known_path",
        "_known_url",
        "_max_body_bytes",
        "_max_header_bytes",
        "_parser",
        "_phase",
        "_quiet_bytes",
        "_url",
    )

    def __init__(self, handler: Handler, limits: HttpLimits, connections: Connections) -> None:
        super().__init__(handler, limits, connections)
        self._max_header_bytes = limits.max_header_bytes
        self._max_body_bytes = limits.max_body_bytes
        # The connection.
        self._use_new_parser()
        self._phase = FRESH
        self._active = False  # a request was completed by the last segment, and no sweep has come by since
        self._known_url = b""  # of the last request; clients mostly repeat it
        self._known_path = b""
        # The request that is being read.
        self._url = b""
        self._body: bytes | bytearray = b""
        # Used only for a request in several segments. The parser reports no headers, which saves a call for
        # each: the few that matter before the body has come are looked up in the bytes of the head.
        self._head: bytes | bytearray = b""
        self._head_cut = False  # the head began behind another request; its first bytes are not in _head
        self._body_seen = 0
        self._quiet_bytes = 0  # received since the body last grew

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first request."""
        self._since_s = asyncio.get_running_loop().time()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Break the reference cycle of parser and protocol, and drop the rest."""
        self._feed = _discard
        del self._parser
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a segment; requests that it completes go to the handler."""
        if len(data) > self._max_header_bytes:
            self._receive_in_pieces(data)
            return
        self._active = False
        if self._phase == HEAD and heads.head_bytes_with(self._head, data) > self._max_header_bytes:
            self._refuse_head()
        try:
            self._feed(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data, upgrade.args[0])
            return
        except httptools.HttpParserCallbackError:
            if self._phase != DISCARD:
                raise
        except httptools.HttpParserError as error:
            if self._phase != DISCARD:
                self._refuse(400, "Bad request", f"not HTTP/1.1: {error}")
        if self._phase or self._url or not self._active:
            self._on_incomplete(data)

    def check(self, now_s: float) -> None:
        """Enforce the time limits of the phases; `now_s` is the loop's time."""
        if not self._client_reads(now_s):
            return
        if self._active or not self._reading or (not self.closed and (self._pending or self._backlog)):
            self._active = False
            self._since_s = now_s
        elif now_s - self._since_s > self._timeout_s():
            self._on_timeout()

    # Called by the parser, by name.

    def on_url(self, url: bytes) -> None:
        """Collect the request target, which may come in parts."""
        self._url = self._url + url if self._url else url

    def on_headers_complete(self) -> None:
        """Enter HEAD_DONE: the body comes next."""
        self._phase = HEAD_DONE

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
        parser = self._parser
        if parser.should_upgrade():
            return  # data_received reads it again, as a normal request
        url = self._url
        if url != self._known_url:
            self._learn_url(url)
        body = self._body
        keep_alive = parser.should_keep_alive()
        exchange = Exchange(
            self,
            parser.get_method(),
            self._known_path,
            body if type(body) is bytes else bytes(body),
            keep_alive,
        )
        self._url = self._body = self._head = b""
        self._phase = IDLE
        self._head_cut = False
        self._active = True
        if not keep_alive:
            self._end()
        if self._fast_path and len(self._pending) < self._max_pipelined:
            self._hand_over(exchange)
        else:
            self._submit(exchange)

    # Off the fast path.

    def _use_new_parser(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._feed = self._parser.feed_data

    def _receive_in_pieces(self, data: bytes) -> None:
        for start in range(0, len(data), self._max_header_bytes):
            self.data_received(data[start : start + self._max_header_bytes])

    def _learn_url(self, url: bytes) -> None:
        if len(url) > self._limits.max_url_bytes:
            self._refuse_url()
            raise _RefusedError
        self._known_path = heads.path_of(url)
        self._known_url = url

    def _ignore_upgrade(self, data: bytes, end: int) -> None:
        """Read a request that asks for another protocol as one that does not (rule 3)."""
        method = self._parser.get_method()
        if method == b"CONNECT":
            self._refuse(405, "Method not allowed", "CONNECT is for proxies: this is an HTTP server")
            return
        if self._active or self._head_cut:
            self._refuse(400, "Bad request", "an upgrade is asked for behind another request")
            return
        begun = bytes(self._head) + data[:end]
        head = heads.without_upgrade(begun, method, self._url, self._parser.get_http_version())
        self._use_new_parser()
        self._phase = IDLE
        self._url = self._head = b""
        self.data_received(head + data[end:])

    def _on_incomplete(self, data: bytes) -> None:
        """Update the phase after a segment that ended inside a request or completed none."""
        if self._phase == DISCARD:
            self._quiet_bytes += len(data)
            if self._quiet_bytes > self._limits.linger_bytes:
                self.abort()
        elif self._phase >= HEAD_DONE:
            self._on_incomplete_body(data)
        else:
            self._on_incomplete_head(data)

    def _on_incomplete_head(self, data: bytes) -> None:
        if len(self._url) > self._limits.max_url_bytes:
            self._refuse_url()
            return
        if self._phase != HEAD:
            self._phase = HEAD
            self._since_s = asyncio.get_running_loop().time()
            self._head_cut = self._active
            self._head = bytearray() if self._head_cut else bytearray(data)
        else:
            self._head += data

    def _on_incomplete_body(self, data: bytes) -> None:
        size = len(self._body)
        if self._phase == HEAD_DONE:
            self._phase = BODY
            self._since_s = asyncio.get_running_loop().time()
            self._quiet_bytes = 0
            self._begin_body(b"" if self._active else heads.head_in(bytes(self._head) + data))
            self._head = b""
        elif size == self._body_seen:
            # Chunk extensions and trailers: nothing in them is used.
            self._quiet_bytes += len(data)
            if self._quiet_bytes > self._max_header_bytes:
                self._refuse_head()
        else:
            self._quiet_bytes = 0
        self._body_seen = size

    def _begin_body(self, head: bytes) -> None:
        """Check the declared length of a body that is still to come, and promise 100 Continue if asked for.

        `head` is empty behind another request (rule 2).
        """
        if heads.content_length(head) > self._max_body_bytes:
            self._refuse_body()
        elif not self._body and heads.expects_continue(head):
            self._promise_continue()

    # Ends.

    def _mid_request(self) -> bool:
        return bool(self._url) or HEAD <= self._phase <= BODY

    def _end(self) -> None:
        super()._end()
        self._feed = _discard
        self._phase = DISCARD
        self._url = self._body = self._head = b""
        self._quiet_bytes = 0
        self._since_s = asyncio.get_running_loop().time()

    def _timeout_s(self) -> float:
        limits = self._limits
        if self._phase == IDLE:
            return limits.idle_timeout_s
        if self._phase == DISCARD:
            return limits.linger_timeout_s
        return limits.body_timeout_s if self._phase >= HEAD_DONE else limits.header_timeout_s

    def _on_timeout(self) -> None:
        if self._phase == DISCARD:
            self.abort()
        elif self._phase == IDLE:
            self._end()
            self._close_if_finished()
        else:
            part = "body" if self._phase >= HEAD_DONE else "header"
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
