"""The queries of a frontend that has just started and waits for the replicas that others had before.

Until a replica of its model is here, a query is held for a moment: it would be answered without a model a
moment before it could be answered by one. If the moment is too long, its client is asked to come back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.query.http.exchange import JSON, RETRY_AFTER, Exchange
from clipper_frontend.query.readiness import Readiness
from clipper_frontend.query.serving.application import Application

#: The share of its SLO that a query is held at most, so that its model has the rest; and the longest time.
_MAX_SHARE: Final = 0.5
_MAX_HELD_S: Final = 1.0
_MAX_HELD: Final = 1000
_LOOK_INTERVAL_S: Final = 0.01
_NOT_READY: Final = error_body(
    "Not ready", "this query frontend has just started, and no replica of the model is here yet: try again"
)


class StartingQueries:
    """The queries that are held; `handle` answers them when it is time. `active` ends when it is ready."""

    def __init__(self, readiness: Readiness, handle: Callable[[Application, Exchange], None]) -> None:
        self._readiness = readiness
        self._handle = handle
        self._held: list[tuple[Application, Exchange]] = []
        self.active = True

    def hold(self, application: Application, exchange: Exchange) -> bool:
        """Return whether a query need not be answered now: it is held, or its client is to come back."""
        if not self._misses_replicas(application):
            return False
        if len(self._held) >= _MAX_HELD:
            exchange.respond(503, _NOT_READY, JSON, RETRY_AFTER)
            return True
        self._held.append((application, exchange))
        if len(self._held) == 1:
            self._look_later()
        return True

    def _misses_replicas(self, application: Application) -> bool:
        missing = self._readiness.missing(time.monotonic())
        self.active = bool(missing)
        targets = (application.target, *application.targets)
        return any(target is not None and (target.name, target.version) in missing for target in targets)

    def _look_later(self) -> None:
        asyncio.get_running_loop().call_later(_LOOK_INTERVAL_S, self._look)

    def _look(self) -> None:
        held, self._held = self._held, []
        now = time.monotonic()
        for application, exchange in held:
            if not self._misses_replicas(application):
                self._handle(application, exchange)
            elif now - exchange.arrived_at > min(_MAX_HELD_S, application.limit_s * _MAX_SHARE):
                exchange.respond(503, _NOT_READY, JSON, RETRY_AFTER)
            else:
                self._held.append((application, exchange))
        if self._held:
            self._look_later()
