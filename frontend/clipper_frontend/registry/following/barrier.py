"""The barrier: writers wait here until every live query frontend has applied their writes.

A token goes to the frontends on the same connection as the events of changes, and Redis keeps the order: a
frontend that acknowledges a token has applied all earlier writes. The wait is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from types import TracebackType
from typing import Self

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.registry.connection import RedisSettings
from clipper_frontend.registry.following.messages import MessageLink
from clipper_frontend.registry.frontends import Frontends
from clipper_frontend.registry.keys import APPLIED_CHANNEL
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.registry")

#: Frontends acknowledge within milliseconds: one that takes longer is stuck or gone, and its record expires.
WAIT_LIMIT_S = 1.0
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 2.0
_MESSAGES_AT_A_TIME = 100


class Barrier:
    """The barrier of one process. Use it as an async context manager."""

    def __init__(self, settings: RedisSettings, frontends: Frontends) -> None:
        self._settings = settings
        self._frontends = frontends
        self._opened = asyncio.Event()
        self._waiting: dict[str, _Waiting] = {}
        self._task: asyncio.Task[None] | None = None
        self._backoff_s = FIRST_BACKOFF_S
        self._last_trouble = ""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="registry-barrier")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            await end_task(self._task)

    async def wait_until_open(self) -> None:
        """Return when acknowledgements can be received, at the latest after the wait limit."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_LIMIT_S):
                await self._opened.wait()

    async def pass_through(self, what: str) -> list[str]:
        """Return once every live query frontend has applied all writes until now.

        That takes at most the wait limit, and no time at all while acknowledgements cannot be received.
        Returns the ids of the frontends that lag behind, which are logged with `what`, the name of the write.
        If Redis gives no answer, there are none.
        """
        if not self._opened.is_set():
            return []
        token, waiting = uuid.uuid4().hex, _Waiting()
        self._waiting[token] = waiting
        try:
            async with asyncio.timeout(WAIT_LIMIT_S):
                waiting.expect(*await self._frontends.synchronize(token))
                await waiting.done.wait()
        except RegistryUnavailable as exc:
            logger.warning("%s was written, but its propagation could not be confirmed: %s", what, exc)
        except TimeoutError:
            pass  # logged below
        finally:
            del self._waiting[token]
        lagging = sorted(waiting.lagging)
        if lagging:
            logger.warning(
                "%s was written, but these query frontends have not applied it yet: %s",
                what,
                ", ".join(lagging),
            )
        return lagging

    async def _run(self) -> None:
        while True:
            try:
                await self._receive()
            except RegistryUnavailable as exc:
                self._lose(str(exc))
            except Exception as exc:  # the root of this task: it starts again with a new link
                logger.exception("could not receive the acknowledgements of query frontends")
                self._lose(repr(exc))
            await asyncio.sleep(self._backoff_s)
            self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)

    async def _receive(self) -> None:
        """Receive acknowledgements until the link is lost."""
        link = MessageLink(self._settings, "receive query frontends' acknowledgements")
        try:
            await link.open()
            await link.subscribe(channels=(APPLIED_CHANNEL,))
            self._opened.set()
            self._backoff_s, self._last_trouble = FIRST_BACKOFF_S, ""
            while True:
                for _, _, text in await link.next_messages(_MESSAGES_AT_A_TIME):
                    token, _, frontend_id = text.partition(" ")
                    if token in self._waiting:
                        self._waiting[token].acknowledge(frontend_id)
        finally:
            self._opened.clear()
            await link.close()

    def _lose(self, trouble: str) -> None:
        for waiting in self._waiting.values():
            waiting.done.set()
        if trouble != self._last_trouble:
            logger.warning("%s; answering writes without waiting for query frontends, retrying", trouble)
            self._last_trouble = trouble


class _Waiting:
    """One token's acknowledgements, which may arrive before the ids of the live frontends are known."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self._acknowledged: set[str] = set()
        self._live: frozenset[str] | None = None
        self._num_receivers = 0

    @property
    def lagging(self) -> set[str]:
        """Return the live frontends that have not acknowledged."""
        return set(self._live or ()) - self._acknowledged

    def expect(self, num_receivers: int, live: frozenset[str]) -> None:
        """Wait for the live frontends, but for no more of them than received the token."""
        self._num_receivers, self._live = num_receivers, live
        self._check()

    def acknowledge(self, frontend_id: str) -> None:
        """Count one acknowledgement."""
        self._acknowledged.add(frontend_id)
        self._check()

    def _check(self) -> None:
        if self._live is None:
            return
        # A frontend whose link to Redis is down has not received the token, and will read everything again.
        if not self.lagging or len(self._acknowledged) >= self._num_receivers:
            self.done.set()
