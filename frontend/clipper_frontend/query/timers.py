"""Timers of a query frontend: one for all deadlines, one for upkeep, and the turn that sends batches.

They call the core with the time, and hand the batches that it returns to the sessions. Batches are sent once
per turn of the event loop, after all requests that arrived in it, so that they travel together.
"""

from __future__ import annotations

import asyncio
import time

from clipper_frontend.query.rpc.sessions import Sessions
from clipper_frontend.query.serving.serving import Serving

#: Delay until a lost or hanging replica is noticed if no connection was closed.
_SWEEP_INTERVAL_S = 0.1
#: A closed connection is reported before a send to its peer fails, so its replica is looked for again.
_SWEEPS_AFTER_CLOSE = 2


class Timers:
    """The timers; they are made before the core, which signals them, and run from start() on."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadline_timer: asyncio.TimerHandle | None = None
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._sweeps_to_probe = 0

    def start(self, serving: Serving, sessions: Sessions) -> None:
        """Start the timers on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._serving = serving
        self._sessions = sessions
        self._sweep_timer = self._loop.call_later(_SWEEP_INTERVAL_S, self._sweep)

    def stop(self) -> None:
        """Cancel all timers."""
        for timer in (self._deadline_timer, self._sweep_timer):
            if timer is not None:
                timer.cancel()
        self._loop = None

    def wake(self) -> None:
        """Send batches at the end of this turn of the event loop."""
        if self._loop is not None:
            self._loop.call_soon(self._dispatch)

    def due_sooner(self) -> None:
        """Set the deadline timer again: a query is due before all others."""
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        self._deadline_timer = None
        due = self._serving.deadlines.next_due()
        if due is not None and self._loop is not None:
            delay_s = max(0.0, due - time.monotonic())
            self._deadline_timer = self._loop.call_later(delay_s, self._expire)

    def disconnected(self) -> None:
        """Look for replicas that are gone: a connection was closed.

        Many that close together are looked for with the next sweep, so that they cost no more than one.
        """
        if not self._sweeps_to_probe:
            self._sessions.probe_all(time.monotonic())
        self._sweeps_to_probe = _SWEEPS_AFTER_CLOSE

    def _dispatch(self) -> None:
        now = time.monotonic()
        self._sessions.send_batches(self._serving.predictions.dispatch(now), now)

    def _expire(self) -> None:
        self._deadline_timer = None
        self._serving.expire(time.monotonic())
        self.due_sooner()

    def _sweep(self) -> None:
        now = time.monotonic()
        self._sessions.sweep(now)
        if self._sweeps_to_probe:
            self._sweeps_to_probe -= 1
            self._sessions.probe_all(now)
        if self._loop is not None:
            self._sweep_timer = self._loop.call_later(_SWEEP_INTERVAL_S, self._sweep)
