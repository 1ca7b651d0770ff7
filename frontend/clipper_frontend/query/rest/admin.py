"""The admin interface of a query frontend: health, metrics, and feedback from other query frontends."""

from __future__ import annotations

import time
from typing import Final, Protocol

from clipper_frontend import health
from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.query.feedback.handover import FEEDBACK_PATH
from clipper_frontend.query.feedback.updates import UpdateHandler
from clipper_frontend.query.http.cors import allow
from clipper_frontend.query.http.exchange import JSON, Exchange
from clipper_frontend.query.readiness import Readiness

_METRICS_PATH: Final = health.METRICS_PATH.encode()
_LIVE_PATH: Final = health.LIVE_PATH.encode()
_READY_PATH: Final = health.READY_PATH.encode()
_RPC_PATH: Final = b"/health/rpc"
_READ_PATHS: Final = frozenset({_METRICS_PATH, _LIVE_PATH, _READY_PATH, _RPC_PATH})
TEXT: Final = b"text/plain; charset=utf-8"
METRICS_CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_AS_IT_IS: Final = b"Vary: Accept-Encoding\r\n"
_GZIP: Final = b"Content-Encoding: gzip\r\n" + _AS_IT_IS
_READS: Final = allow("GET", "HEAD")
_WRITES: Final = allow("POST")


class MetricsSource(Protocol):
    """The text of all metrics."""

    def __call__(self, *, compressed: bool) -> bytes:
        """Return the text, perhaps as gzip."""


class AdminHandler:
    """The admin port: health and metrics, as in every process, and feedback from other query frontends."""

    def __init__(self, readiness: Readiness, metrics: MetricsSource, updates: UpdateHandler) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._updates = updates

    def handle(self, exchange: Exchange) -> None:
        """Answer a request."""
        path = _plain(exchange.path)
        if path == FEEDBACK_PATH:
            self._feedback(exchange)
        elif path not in _READ_PATHS:
            cause = "here are /health/live, /health/ready, /health/rpc and /metrics"
            exchange.respond(404, error_body("Unknown path", cause))
        elif exchange.method == b"OPTIONS":
            exchange.respond(200, b"", TEXT, _READS)
        elif exchange.method not in (b"GET", b"HEAD"):
            cause = f"{path.decode()} is read with GET"
            exchange.respond(405, error_body("Method not allowed", cause), JSON, _READS)
        else:
            self._read(path, exchange)

    def offers(self, path: bytes) -> bool:
        """Return whether the REST port answers this path too."""
        return _plain(path) in _READ_PATHS or path.startswith(b"/health/")

    def _read(self, path: bytes, exchange: Exchange) -> None:
        if path == _METRICS_PATH:
            compressed = exchange.head.takes_gzip
            text = self._metrics(compressed=compressed)
            exchange.respond(200, text, METRICS_CONTENT_TYPE, _GZIP if compressed else _AS_IT_IS)
        elif path == _LIVE_PATH:
            _respond_health(exchange, None)
        elif path == _READY_PATH:
            problem = self._readiness.not_ready(time.monotonic())
            _respond_health(exchange, problem, self._readiness.notice)
        else:
            _respond_health(exchange, self._readiness.not_ready_for_containers())

    def _feedback(self, exchange: Exchange) -> None:
        if exchange.method == b"POST":
            self._updates.handed_over(exchange)
        elif exchange.method == b"OPTIONS":
            exchange.respond(200, b"", TEXT, _WRITES)
        else:
            cause = f"{FEEDBACK_PATH.decode()} takes POST"
            exchange.respond(405, error_body("Method not allowed", cause), JSON, _WRITES)


def _plain(path: bytes) -> bytes:
    """Return a path without the slash at its end that some health checks add."""
    return path[:-1] if len(path) > 1 and path.endswith(b"/") else path


def _respond_health(exchange: Exchange, problem: str | None, notice: str = "") -> None:
    ok = f"{health.OK}: {notice}" if notice else health.OK
    exchange.respond(200 if problem is None else 503, (problem or ok).encode(), TEXT)
