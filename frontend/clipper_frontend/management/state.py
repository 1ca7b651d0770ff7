"""The state of the management frontend: its readiness, and the number of requests in progress.

It is ready from the moment at which it has joined its cluster until a signal stops it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from clipper_frontend import health
from clipper_frontend.errors import RegistryReplaced, RegistryUnavailable
from clipper_frontend.registry.following.barrier import Barrier
from clipper_frontend.registry.store import Store

#: A call waits at most this long until the cluster is joined, which takes milliseconds at the start.
JOIN_WAIT_S = 2.0


class ServingState:
    """The state of the process.

    `waiting_for` is the reason why the cluster is not joined yet. `draining` is set while requests are still
    served as before, `closing` when connections must end.
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
        """Count one request as being in progress."""
        self._in_work += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_work -= 1
            if not self._in_work:
                self._idle.set()

    async def wait_until_idle(self, timeout_s: float) -> None:
        """Return when no request is in progress, at the latest after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    async def wait_until_joined(self) -> None:
        """Return once the cluster is joined; raises RegistryUnavailable if that takes too long."""
        try:
            async with asyncio.timeout(JOIN_WAIT_S):
                await self.joined.wait()
        except TimeoutError:
            raise RegistryUnavailable(self.waiting_for) from None

    async def is_replaced(self) -> bool:
        """Return whether Redis holds another registry than the one that was joined."""
        try:
            await self.store.check_epoch()
        except RegistryReplaced:
            return True
        except RegistryUnavailable:
            pass
        return False

    async def why_not_ready(self) -> str | None:
        """Return why no traffic should be sent here, or None if it should."""
        if self.draining:
            return health.DRAINING
        if not self.joined.is_set():
            return self.waiting_for
        try:
            await self.store.ping()
        except RegistryUnavailable as exc:
            return str(exc)
        return None
