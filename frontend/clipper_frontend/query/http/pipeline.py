"""The answering half of one client connection: exchanges out to the handler, answers back in request order.

It owns the transport. The subclass (protocol.py) reads requests; this class decides when the handler gets
them, when their answers are written, and when the connection closes.

Order. HTTP/1.1 answers in the order of the requests, but the handler may answer in any order:

    subclass --_submit--> _backlog --_release_backlog--> _pending --_flush--> transport
               read, not yet       handed to the handler; leaves
               handed out          when it and all before it are answered

An answer that comes early waits in its exchange (`ready`). _flush writes all answers at the head of _pending
in one write. A refusal is an exchange that is answered before it is submitted: it passes through both queues
and so comes after the answers before it. `100 Continue` is written only when both queues are empty: between
two answers a client would take it for the answer to the wrong request.

Turns. One segment can hold hundreds of requests. At most max_per_turn of them are handed out in one turn of
the event loop; the others wait in _backlog for the next, so that other connections have their turn.

Fast path. Nearly every query is alone on its connection and answered with a short JSON text and status 200.
`_fast_path` is one flag instead of six checks per query. It is true while all of these hold:

    nothing waits in _backlog           writing is not paused             no 100 Continue is owed
    further requests are read           the connection is not draining    it is not closed

If it is true, a request goes straight to the handler (within max_pipelined), and the answer to the only
pending exchange is written with a ready-made head, if the exchange is `plain`. Such an answer is never the
connection's last: a request with `Connection: close` has ended the reading and so the fast path. Whoever
breaks a condition sets the flag to false at once; only _update_fast_path sets it to true, when a condition
may have been restored. Being false too long costs time; being true wrongly would break the order of answers
or a close.

Back-pressure, so that no client can make this process hold an unbounded amount:

    bound                                        | what happens above it
    ---------------------------------------------+-----------------------------------------------------------
    max_pipelined exchanges are pending          | further ones wait in _backlog, and reading is paused: what
                                                 | one segment held is all that can wait there
    write_buffer_bytes of answers are unsent     | the transport calls pause_writing: nothing more is read or
                                                 | handed out until resume_writing
    the client took no byte of what is unsent    | the sweep aborts the connection
    for idle_timeout_s                           |

Closing. `_ending` means that no further request is read, `_draining` that the connection closes once it is
between requests. An answer that is known to be the last says `Connection: close`. When both queues are empty,
_close_if_finished closes: at once, or after a refusal (`_lingers`) only the server's direction, while the
subclass reads on and discards. From then on `closed` is true, as it is when the client has gone, and answers
are dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import cast

from clipper_frontend import codings
from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.query.http.connections import Connections
from clipper_frontend.query.http.departures import DepartureWatch
from clipper_frontend.query.http.exchange import JSON, Answer, Exchange, Handler
from clipper_frontend.query.http.heads import Head
from clipper_frontend.query.http.inflating import Inflating
from clipper_frontend.query.http.limits import HttpLimits
from clipper_frontend.query.http.responses import CONTINUE, LARGE_BYTES

log = logging.getLogger("clipper.query.http")

_NO_HEAD = Head()


class Pipeline(asyncio.Protocol):
    """The answers of a connection. `closed` is true once no further answer can be sent."""

    __slots__ = (
        "_backlog",
        "_bodies",
        "_connections",
        "_draining",
        "_ending",
        "_fast_path",
        "_handle",
        "_limits",
        "_lingers",
        "_max_pipelined",
        "_owes_continue",
        "_pending",
        "_reading",
        "_releasing",
        "_responses",
        "_since_s",
        "_transport",
        "_turn_left",
        "_turn_waits",
        "_unsent_bytes",
        "_usual_heads",
        "_writing_paused",
        "closed",
    )

    _transport: asyncio.Transport

    def __init__(self, handler: Handler, limits: HttpLimits, connections: Connections) -> None:
        # Shared by all connections.
        self._handle = handler.handle
        self._limits = limits
        self._max_pipelined = limits.max_pipelined
        self._connections = connections
        self._bodies = connections.bodies
        self._responses = connections.responses
        self._usual_heads = connections.responses.usual
        # The answers.
        self._pending: deque[Exchange] = deque()
        self._backlog: deque[Exchange] = deque()
        self._releasing = False
        self._turn_left = limits.max_per_turn
        self._turn_waits = False  # for the next turn of the event loop
        self._owes_continue = False
        # The connection's own state.
        self._fast_path = True
        self._ending = False  # no further request will be read
        self._draining = False
        self._lingers = False  # after the last answer, read on and discard for a while
        self.closed = False
        self._reading = True
        self._writing_paused = False
        # For the sweep: the start of the present phase, and how much was unsent at the sweep before.
        self._since_s = 0.0
        self._unsent_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the new connection."""
        # No isinstance: uvloop's transports are not subclasses.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the reason changes nothing)
        """Drop what cannot be answered any more."""
        self.closed = True
        self._fast_path = False
        for exchange in (*self._pending, *self._backlog):
            self._release_body(exchange)
            if exchange.work is not None:
                exchange.work.abandon()
                exchange.work = None
        self._pending.clear()
        self._backlog.clear()
        self._connections.discard(self)

    def eof_received(self) -> bool:
        """Answer what was received and read no more: the client may still read. False closes now."""
        if self.closed:
            return False
        self._end()
        self._lingers = False
        owes = bool(self._pending or self._backlog)
        if self._pending and self._pending[0].head.version == b"1.1":
            DepartureWatch(self._transport, self._owes_first_answer)
        return owes

    def _owes_first_answer(self) -> bool:
        return not self.closed and bool(self._pending) and self._pending[0].ready is None

    def pause_writing(self) -> None:
        """Stop reading and handing out: the client does not read its answers."""
        self._writing_paused = True
        self._fast_path = False
        self._update_reading()

    def resume_writing(self) -> None:
        """Continue: the client has caught up."""
        self._writing_paused = False
        self._release_backlog()

    def retire(self) -> None:
        """Announce the end with the next answer, and close after it."""
        self._draining = True
        self._fast_path = False

    def drain(self) -> None:
        """Close once everything received is answered, which may be now."""
        self._draining = True
        self._fast_path = False
        self._close_if_finished()

    def abort(self) -> None:
        """Close at once; unsent answers are lost."""
        self._transport.abort()

    @property
    def peer(self) -> str:
        """Return the client's IP address; empty if it has none."""
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    def deliver(
        self, exchange: Exchange, status: int, body: bytes, content_type: bytes, headers: bytes
    ) -> None:
        """Write an answer, or keep it until those before it are written. Only Exchange.respond calls it."""
        pending = self._pending
        if (
            self._fast_path
            and len(pending) == 1
            and status == 200
            and content_type is JSON
            and len(body) < LARGE_BYTES
            and exchange.plain
            and not headers
        ):
            pending.clear()
            self._transport.write(self._usual_heads[len(body)] + body)
        elif not self.closed:
            self._release_body(exchange)
            answer = Answer(status, body, content_type, exchange.headers + headers)
            if len(body) < LARGE_BYTES or b"Vary: Accept-Encoding" in headers:
                self._deliver(exchange, answer)
            else:
                self._deliver_large(exchange, answer)

    def _deliver(self, exchange: Exchange, answer: Answer) -> None:
        if not self.closed:
            exchange.ready = answer
            self._flush()

    def _deliver_large(self, exchange: Exchange, answer: Answer) -> None:
        """Compress a large answer for a client that takes it so; a very large one on another thread."""
        answer = answer._replace(headers=answer.headers + b"Vary: Accept-Encoding\r\n")
        if not exchange.head.takes_gzip:
            self._deliver(exchange, answer)
        elif len(answer.body) <= codings.MAX_INLINE_BYTES:
            self._deliver(exchange, _compressed(answer, codings.compress(answer.body)))
        else:
            made = asyncio.get_running_loop().run_in_executor(None, codings.compress, answer.body)
            made.add_done_callback(
                lambda done: self._deliver(
                    exchange, answer if done.cancelled() else _compressed(answer, done.result())
                )
            )

    def check(self, now_s: float) -> None:
        """Enforce the time limits; `now_s` is the loop's time."""
        raise NotImplementedError

    # The subclass's part.

    def _mid_request(self) -> bool:
        """Return whether a request has been received in part."""
        raise NotImplementedError

    def _end(self) -> None:
        """Read no further request."""
        self._ending = True
        self._fast_path = False

    # Handing exchanges out.

    def _submit(self, exchange: Exchange) -> None:
        """Hand an exchange to the handler when its turn comes."""
        if not self.closed:
            self._backlog.append(exchange)
            self._release_backlog()

    def _refuse(self, status: int, error: str, cause: str, headers: bytes = b"") -> None:
        """Answer something that is no acceptable request, after all before it; then close."""
        self._connections.refused_total[status] += 1
        answer = Answer(status, error_body(error, cause), JSON, headers)
        refusal = Exchange(self, b"", b"", b"", False, _NO_HEAD, answered=True, ready=answer)
        self._lingers = True
        self._end()
        self._submit(refusal)

    def _hand_over(self, exchange: Exchange) -> None:
        self._pending.append(exchange)
        if exchange.head.coding:
            Inflating(exchange, self.charge_body, self._answer, self._limits.max_body_bytes).start()
        else:
            self._answer(exchange)

    def _answer(self, exchange: Exchange) -> None:
        try:
            self._handle(exchange)
        except Exception as error:  # noqa: BLE001 (one request's error must not end the connection)
            self._on_handler_error(exchange, error)

    def _on_handler_error(self, exchange: Exchange, error: Exception) -> None:
        method, path = exchange.method.decode(), exchange.path.decode("latin-1")
        log.error("request failed: %s %s", method, path, exc_info=error)
        exchange.respond(
            500, error_body("Internal error", f"{type(error).__name__} while answering {method} {path}")
        )

    def _release_backlog(self) -> None:
        # If the handler answers at once, _flush calls this again: one loop instead of a deep recursion.
        if self._releasing:
            return
        self._releasing = True
        while self._backlog and len(self._pending) < self._max_pipelined and not self._writing_paused:
            if not self._turn_left:
                self._wait_for_turn()
                break
            self._turn_left -= 1
            exchange = self._backlog.popleft()
            if exchange.answered:
                self._pending.append(exchange)
                self._flush()
            else:
                self._hand_over(exchange)
        self._releasing = False
        self._update_fast_path()
        self._update_reading()

    def _wait_for_turn(self) -> None:
        if not self._turn_waits:
            self._turn_waits = True
            asyncio.get_running_loop().call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        self._turn_waits = False
        self._turn_left = self._limits.max_per_turn
        if self._backlog:
            self._release_backlog()

    # The memory of bodies.

    def charge_body(self, exchange: Exchange, count: int) -> bool:
        """Count more bytes of a request's body; return False if they are too many, or the client has gone."""
        if self.closed or not self._bodies.take(count):
            return False
        exchange.charge += count
        exchange.plain = False
        return True

    def _release_body(self, exchange: Exchange) -> None:
        self._bodies.give(exchange.charge)
        exchange.charge = 0

    # Writing.

    def _flush(self) -> None:
        pending = self._pending
        responses = []
        while pending and (answer := pending[0].ready):
            responses.append(self._render(pending.popleft(), answer))
        if responses:
            self._transport.write(b"".join(responses))
            if self._backlog:
                self._release_backlog()
            self._close_if_finished()
            self._send_continue_if_due()

    def _render(self, exchange: Exchange, answer: Answer) -> bytes:
        last = not exchange.keep_alive or self._finished()
        return self._responses.render(answer, last=last, head_only=exchange.method == b"HEAD")

    def _promise_continue(self) -> None:
        """Send 100 Continue as soon as everything before it is answered."""
        self._owes_continue = True
        self._fast_path = False
        self._send_continue_if_due()

    def _send_continue_if_due(self) -> None:
        if self._owes_continue and not (self._pending or self._backlog or self.closed):
            self._owes_continue = False
            self._transport.write(CONTINUE)
            self._update_fast_path()

    def _update_fast_path(self) -> None:
        self._fast_path = not (
            self._backlog
            or self._writing_paused
            or self._ending
            or self._draining
            or self._owes_continue
            or self.closed
        )

    def _update_reading(self) -> None:
        reading = not (self._backlog or self._writing_paused)
        if reading == self._reading or (self.closed and not self._lingers):
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    # Closing.

    def _finished(self) -> bool:
        """Return whether the answer being written, or written last, is the connection's last."""
        if self._pending or self._backlog:
            return False
        return self._ending or (self._draining and not self._mid_request())

    def _close_if_finished(self) -> None:
        if self._finished() and not self.closed:
            self.closed = True
            if self._lingers:
                self._transport.write_eof()
                self._update_reading()
            else:
                self._transport.close()

    def _client_reads(self, now_s: float) -> bool:
        """Return whether everything is sent; abort if the client has taken nothing for too long."""
        unsent_bytes = self._transport.get_write_buffer_size()
        if unsent_bytes and unsent_bytes == self._unsent_bytes:
            if now_s - self._since_s > self._limits.idle_timeout_s:
                self.abort()
        elif unsent_bytes or self._unsent_bytes:
            self._since_s = now_s
        self._unsent_bytes = unsent_bytes
        return not unsent_bytes


def _compressed(answer: Answer, body: bytes) -> Answer:
    return answer._replace(body=body, headers=answer.headers + b"Content-Encoding: gzip\r\n")
