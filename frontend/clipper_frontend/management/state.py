"""Whether the management frontend may be used, and what it has in work.

It may once it has joined its cluster, until it is told to stop. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from clipper_frontend import health
from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.registry.following.barrier import Barrier
from clipper_frontend.registry.store import Store

#: What a call waits at most for the cluster to be joined: at the start that takes milliseconds.
JOIN_WAIT_S = 2.0


class ServingState:
    """What the process knows of itself.

    `waiting_for` says why the cluster is not joined yet. `draining` is set while it still serves as before,
    `closing` when connections are to end.
    """

    def __init__(self, store: Store, barrier: Barrier) -> None:
        self.store = store
        self.barrier = barrier
        self.joined = asyncio.Event()
        self.draining = False
        self.closing = False
        self.waiting_for = "Redis was not asked yet"
        self._in_work = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Count one request as being in work."""
        self._in_work += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_work -= 1
            if not self._in_work:
                self._idle.set()

    async def wait_until_idle(self, timeout_s: float) -> None:
        """Return when no request is in work, or at the latest after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    async def wait_until_joined(self) -> None:
        """Return once the cluster is joined; raises RegistryUnavailable where that takes long."""
        try:
            async with asyncio.timeout(JOIN_WAIT_S):
                await self.joined.wait()
        except TimeoutError:
            raise RegistryUnavailable(self.waiting_for) from None

    async def why_not_ready(self) -> str | None:
        """Return why no traffic should be sent here, or None where it should."""
        if self.draining:
            return health.DRAINING
        if not self.joined.is_set():
            return self.waiting_for
        try:
            await self.store.ping()
        except RegistryUnavailable as exc:
            return str(exc)
        return None
