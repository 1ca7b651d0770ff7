"""The live client connections of one server: their sweep, draining, and counters.

One timer for all of them enforces every time limit: it calls `check` of each connection.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Protocol

from clipper_frontend.budget import BodyBudget
from clipper_frontend.query.http.arrivals import ArrivalClock
from clipper_frontend.query.http.known import KnownRequests
from clipper_frontend.query.http.limits import HttpLimits
from clipper_frontend.query.http.responses import Responses


class Swept(Protocol):
    """A connection, as seen by the sweep and by draining."""

    def check(self, now_s: float) -> None:
        """Enforce the time limits; `now_s` is the loop's time."""

    def retire(self) -> None:
        """Announce the end with the next answer, and close after it."""

    def drain(self) -> None:
        """Close once everything received is answered, which may be now."""

    def abort(self) -> None:
        """Close at once."""


class Connections:
    """The connections of one server, and what they share. Call it on the event loop's thread."""

    def __init__(self, sweep_interval_s: float = 0.5, bodies: BodyBudget | None = None) -> None:
        self._sweep_interval_s = sweep_interval_s
        self.bodies = bodies or BodyBudget(HttpLimits().body_memory_bytes)
        self.responses = Responses(time.time())
        self.known = KnownRequests()
        self.clock = ArrivalClock()
        self._open: set[Swept] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed_waiters: list[asyncio.Future[None]] = []
        self.retiring = False
        self.draining = False
        self.accepted_total = 0
        #: Requests that never reached the handler, by HTTP status.
        self.refused_total: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Swept) -> None:
        """Add a new connection; while draining, close it at once."""
        self._open.add(connection)
        self.accepted_total += 1
        if self._timer is None:
            self.responses.tick(time.time())
            self._schedule_sweep()
        if self.draining:
            connection.drain()
        elif self.retiring:
            connection.retire()

    def discard(self, connection: Swept) -> None:
        """Remove a closed connection."""
        self._open.discard(connection)
        if not self._open:
            self._on_empty()

    async def retire(self, timeout_s: float) -> None:
        """Close each connection after its next answer, which says so; wait for that at most `timeout_s`.

        A client that sends a query just when its idle connection is closed would lose it.
        """
        self.retiring = True
        for connection in tuple(self._open):
            connection.retire()
        await self._wait_empty(timeout_s)

    def start_draining(self) -> None:
        """Close idle connections now, and the others once they have their answers."""
        self.draining = True
        for connection in tuple(self._open):
            connection.drain()

    async def wait_closed(self, timeout_s: float) -> int:
        """Wait until all are closed; abort those left after `timeout_s`, and return their number."""
        if not await self._wait_empty(timeout_s):
            aborted = tuple(self._open)
            for connection in aborted:
                connection.abort()
            await self._wait_empty(timeout_s=None)
            return len(aborted)
        return 0

    async def _wait_empty(self, timeout_s: float | None) -> bool:
        if not self._open:
            return True
        waiter = asyncio.get_running_loop().create_future()
        self._closed_waiters.append(waiter)
        done, _ = await asyncio.wait((waiter,), timeout=timeout_s)
        return bool(done)

    def _on_empty(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for waiter in self._closed_waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._closed_waiters.clear()

    def _schedule_sweep(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._sweep_interval_s, self._sweep)

    def _sweep(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self.responses.tick(time.time())
        for connection in tuple(self._open):
            connection.check(now_s)
        if self._open:
            self._schedule_sweep()
        else:
            self._timer = None
