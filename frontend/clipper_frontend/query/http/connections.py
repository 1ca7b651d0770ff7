"""All live client connections: their one timer, their end, and how many there are.

Owns the sweep that enforces every time limit, and draining. Knows no HTTP: a connection checks itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Protocol


class Swept(Protocol):
    """A connection, as its owner sees it."""

    def check(self, now_s: float) -> None:
        """End what has taken too long; `now_s` is the loop's time."""

    def drain(self) -> None:
        """Close once what has been received is answered, which may be now."""

    def abort(self) -> None:
        """Close at once."""


class Connections:
    """The connections of one server. Use on the event loop's thread."""

    def __init__(self, sweep_interval_s: float = 0.5) -> None:
        self._sweep_interval_s = sweep_interval_s
        self._open: set[Swept] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed_waiters: list[asyncio.Future[None]] = []
        self.draining = False
        self.accepted_total = 0
        self.refused_total: Counter[int] = Counter()
        """Requests that never reached the handler, by HTTP status."""

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Swept) -> None:
        """Take a new connection; while draining it is told to close at once."""
        self._open.add(connection)
        self.accepted_total += 1
        if self._timer is None:
            self._schedule_sweep()
        if self.draining:
            connection.drain()

    def discard(self, connection: Swept) -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)
        if not self._open:
            self._on_empty()

    def start_draining(self) -> None:
        """Close idle connections now, and every other after the answers that it is owed."""
        self.draining = True
        for connection in tuple(self._open):
            connection.drain()

    async def wait_closed(self, timeout_s: float) -> int:
        """Wait until no connection is left, and abort those left after `timeout_s`. Return their number."""
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
        for connection in tuple(self._open):
            connection.check(now_s)
        if self._open:
            self._schedule_sweep()
        else:
            self._timer = None
