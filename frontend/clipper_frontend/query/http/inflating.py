"""The decompression of a request's body, in steps, before the handler gets the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from clipper_frontend.codings import ACCEPTED, Inflation, UnreadableCoding
from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.query.http.exchange import JSON, RETRY_AFTER, Exchange

TOO_MANY_BODIES: Final = "Too many bodies"
TOO_MANY_CAUSE: Final = "the bodies of all requests together take too much memory: try again in a moment"
_ACCEPT: Final = b"Accept-Encoding: %b\r\n" % ACCEPTED.encode()


class Inflating:
    """Decompresses one body, a step in each turn of the event loop.

    `charge` counts what it has grown by, and returns whether that may be; `done` takes the exchange then.
    """

    def __init__(
        self,
        exchange: Exchange,
        charge: Callable[[Exchange, int], bool],
        done: Callable[[Exchange], None],
        max_bytes: int,
    ) -> None:
        self._exchange = exchange
        self._charge = charge
        self._done = done
        self._max_bytes = max_bytes

    def start(self) -> None:
        """Decompress the body now, or in the next turns if it is long; answer the request if it cannot be."""
        exchange = self._exchange
        coding = exchange.head.coding
        inflation = Inflation.of(coding, exchange.body)
        if inflation is None:
            text = coding.decode(errors="replace")
            cause = f"the body's Content-Encoding is {text!r}: send gzip, deflate, or the JSON as it is"
            exchange.respond(415, error_body("Unsupported coding", cause), JSON, _ACCEPT)
        elif exchange.body:
            self._step(inflation)
        else:
            self._done(exchange)

    def _step(self, inflation: Inflation) -> None:
        exchange, before = self._exchange, inflation.size
        try:
            finished = inflation.step()
        except UnreadableCoding as unreadable:
            exchange.respond(400, error_body("Bad request", str(unreadable)))
            return
        if inflation.size > self._max_bytes:
            cause = f"the decompressed body is longer than {self._max_bytes} bytes"
            exchange.respond(413, error_body("Payload too large", cause))
        elif not self._charge(exchange, inflation.size - before):
            exchange.respond(503, error_body(TOO_MANY_BODIES, TOO_MANY_CAUSE), JSON, RETRY_AFTER)
        elif finished:
            exchange.body = inflation.result()
            self._done(exchange)
        else:
            asyncio.get_running_loop().call_soon(self._step, inflation)
