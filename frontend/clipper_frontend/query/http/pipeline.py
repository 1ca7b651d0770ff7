"""One client connection's answers: handed out to the handler, written in the order of the requests.

Owns the transport, the bound on unanswered requests, the slow reader, and closing.
What a request looks like in bytes is the subclass's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import cast

from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.query.http.connections import Connections
from clipper_frontend.query.http.exchange import JSON, Exchange, Handler
from clipper_frontend.query.http.limits import HttpLimits
from clipper_frontend.query.http.responses import CONTINUE, OK_JSON_HEADS, render_response

log = logging.getLogger("clipper.query.http")


class Pipeline(asyncio.Protocol):
    """The answering half of a connection.

    `closed` is true once no further answer can be sent. An exchange waits in `_backlog` until the handler may
    have it, and in `_pending` until it and those before it are answered.
    """

    __slots__ = (
        "_backlog",
        "_connections",
        "_draining",
        "_ending",
        "_handle",
        "_limits",
        "_lingers",
        "_max_pipelined",
        "_owes_continue",
        "_pending",
        "_plain",
        "_reading",
        "_releasing",
        "_since_s",
        "_transport",
        "_unsent_bytes",
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
        # The answers.
        self._pending: deque[Exchange] = deque()
        self._backlog: deque[Exchange] = deque()
        self._releasing = False
        self._owes_continue = False
        # The connection's own state. `_plain` is true while none of the rarer ones holds: the fast path.
        self._plain = True
        self._ending = False  # no further request will be read
        self._draining = False
        self._lingers = False  # after the last answer, read on for a while
        self.closed = False
        self._reading = True
        self._writing_paused = False
        # For the sweep: since when the connection is in its present state.
        self._since_s = 0.0
        self._unsent_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start with a client that has just connected."""
        # No isinstance: uvloop's transports are not subclasses.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (why it was lost changes nothing)
        """Forget what the client is no longer there to be told."""
        self.closed = True
        self._plain = False
        self._pending.clear()
        self._backlog.clear()
        self._connections.discard(self)

    def eof_received(self) -> bool:
        """Go on answering a client that has sent all it will send; it may still read."""
        if self.closed:
            return False
        self._end()
        self._lingers = False
        return bool(self._pending or self._backlog)

    def pause_writing(self) -> None:
        """Read and handle no more of a client that does not read its answers."""
        self._writing_paused = True
        self._plain = False
        self._update_reading()

    def resume_writing(self) -> None:
        """Go on with a client that has caught up."""
        self._writing_paused = False
        self._release_backlog()

    def drain(self) -> None:
        """Close once all that has been received is answered."""
        self._draining = True
        self._plain = False
        self._close_if_finished()

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        self._transport.abort()

    def deliver(self, exchange: Exchange, status: int, body: bytes, content_type: bytes) -> None:
        """Write an answer, or keep it until those before it are written."""
        pending = self._pending
        if (
            self._plain
            and len(pending) == 1
            and status == 200
            and content_type is JSON
            and len(body) < len(OK_JSON_HEADS)
            and exchange.method != b"HEAD"
        ):
            pending.clear()
            self._transport.write(OK_JSON_HEADS[len(body)] + body)
        elif not self.closed:
            exchange.ready = (status, body, content_type)
            self._flush()

    def check(self, now_s: float) -> None:
        """End what has taken too long; `now_s` is the loop's time."""
        raise NotImplementedError

    # What the subclass knows and does.

    def _mid_request(self) -> bool:
        """Return whether a request has been received in part."""
        raise NotImplementedError

    def _end(self) -> None:
        """Read no further request: those received are the last."""
        self._ending = True
        self._plain = False

    # Handing out.

    def _submit(self, exchange: Exchange) -> None:
        """Hand an exchange to the handler when it is its turn."""
        if not self.closed:
            self._backlog.append(exchange)
            self._release_backlog()

    def _refuse(self, status: int, error: str, cause: str) -> None:
        """Answer what could not be read as a request, after all before it; then close."""
        self._connections.refused_total[status] += 1
        answer = (status, error_body(error, cause), JSON)
        refusal = Exchange(self, b"", b"", b"", keep_alive=False, answered=True, ready=answer)
        self._lingers = True
        self._end()
        self._submit(refusal)

    def _hand_over(self, exchange: Exchange) -> None:
        self._pending.append(exchange)
        try:
            self._handle(exchange)
        except Exception as error:  # noqa: BLE001 (the root of a request: one must not end the connection)
            self._on_handler_error(exchange, error)

    def _on_handler_error(self, exchange: Exchange, error: Exception) -> None:
        method, path = exchange.method.decode(), exchange.path.decode("latin-1")
        log.error("request failed: %s %s", method, path, exc_info=error)
        exchange.respond(
            500, error_body("Internal error", f"{type(error).__name__} while answering {method} {path}")
        )

    def _release_backlog(self) -> None:
        # A handler that answers at once comes back here from _flush: one loop instead of a deep recursion.
        if self._releasing:
            return
        self._releasing = True
        while self._backlog and len(self._pending) < self._max_pipelined and not self._writing_paused:
            exchange = self._backlog.popleft()
            if exchange.answered:
                self._pending.append(exchange)
                self._flush()
            else:
                self._hand_over(exchange)
        self._releasing = False
        self._update_plain()
        self._update_reading()

    # Writing.

    def _flush(self) -> None:
        pending = self._pending
        responses = []
        while pending and (answer := pending[0].ready):
            responses.append(self._render(pending.popleft(), *answer))
        if responses:
            self._transport.write(b"".join(responses))
            if self._backlog:
                self._release_backlog()
            self._close_if_finished()
            self._send_continue_if_due()

    def _render(self, exchange: Exchange, status: int, body: bytes, content_type: bytes) -> bytes:
        last = not exchange.keep_alive or self._finished()
        return render_response(status, body, content_type, last=last, head_only=exchange.method == b"HEAD")

    def _promise_continue(self) -> None:
        """Tell the client to send its body, once all before it is answered."""
        self._owes_continue = True
        self._plain = False
        self._send_continue_if_due()

    def _send_continue_if_due(self) -> None:
        if self._owes_continue and not (self._pending or self._backlog or self.closed):
            self._owes_continue = False
            self._transport.write(CONTINUE)
            self._update_plain()

    def _update_plain(self) -> None:
        self._plain = not (
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
        """Return whether the answer that is being written, or was written last, is the connection's last."""
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
        """Return whether nothing waits to be sent; abort a client that has taken nothing for too long."""
        unsent_bytes = self._transport.get_write_buffer_size()
        if unsent_bytes and unsent_bytes == self._unsent_bytes:
            if now_s - self._since_s > self._limits.idle_timeout_s:
                self.abort()
        elif unsent_bytes or self._unsent_bytes:
            self._since_s = now_s
        self._unsent_bytes = unsent_bytes
        return not unsent_bytes
