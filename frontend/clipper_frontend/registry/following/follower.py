"""The follower, which keeps a mirror of the registry equal to Redis, and notifies a listener of changes.

It runs one task with a subscription and a client. While Redis is away the mirror stays as it was.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from clipper_frontend.errors import RegistryReplaced, RegistryUnavailable
from clipper_frontend.registry.connection import RedisSettings, connect
from clipper_frontend.registry.following.subscription import Heard, Subscription
from clipper_frontend.registry.frontends import Frontends
from clipper_frontend.registry.keys import FOLLOWED
from clipper_frontend.registry.mirror import Changes, Mirror
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.registry")

#: Keys are read this many at a time, which holds up queries for about a millisecond.
CHUNK_KEYS = 100
#: Events can be missed although the link is not lost (FLUSHALL sends none, CONFIG can stop them).
RESYNC_INTERVAL_S = 60.0
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 2.0


class RegistryListener(Protocol):
    """The recipient of changes. All methods are called in the event loop and must return at once."""

    def registry_changed(self, changes: Changes) -> None:
        """The follower's mirror has changed, in these names."""

    def registry_followed(self) -> None:
        """The mirror is complete, and is followed from now on."""

    def registry_replaced(self) -> None:
        """Redis holds another registry, which is not taken over."""


class Follower:
    """Follows one Redis from start() to close().

    `mirror` is always the same object; `followed` is set once the first full reading is done; `connected` is
    whether changes arrive now. With a frontend id, the follower acknowledges tokens under that id.
    """

    def __init__(
        self, settings: RedisSettings, listener: RegistryListener, *, frontend_id: str | None = None
    ) -> None:
        self.mirror = Mirror()
        self.followed = asyncio.Event()
        self.connected = False
        self._settings = settings
        self._listener = listener
        self._frontend_id = frontend_id
        self._redis = connect(settings)
        self._frontends = Frontends(self._redis)
        self._task: asyncio.Task[None] | None = None
        self._backoff_s = FIRST_BACKOFF_S
        self._last_trouble = ""

    def start(self, epoch: str | None = None) -> None:
        """Begin to follow, in a task of its own: with the epoch of a joined registry that one alone."""
        self._frontends.epoch = epoch
        self._task = asyncio.create_task(self._run(), name="registry-follower")

    async def close(self) -> None:
        """Stop following, and close all connections."""
        if self._task is not None:
            await end_task(self._task)
        await self._redis.aclose()

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except RegistryReplaced as exc:
                self._lose(str(exc))
                self._listener.registry_replaced()
            except RegistryUnavailable as exc:
                self._lose(str(exc))
            except Exception as exc:  # the root of this task: it starts again, and reads everything
                logger.exception("could not follow the registry")
                self._lose(repr(exc))
            await asyncio.sleep(self._backoff_s)
            self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)

    async def _follow(self) -> None:
        """Subscribe, read everything, then read every touched key, until the link is lost."""
        subscription = Subscription(self._settings)
        try:
            await subscription.open()
            await self._resync()
            self._set_followed()
            loop = asyncio.get_running_loop()
            resync_at_s = loop.time() + RESYNC_INTERVAL_S
            while True:
                await self._take_over(await subscription.next_heard(CHUNK_KEYS))
                if loop.time() >= resync_at_s:
                    await self._resync()
                    resync_at_s = loop.time() + RESYNC_INTERVAL_S
        finally:
            await subscription.close()

    async def _resync(self) -> None:
        """Read everything in chunks, between which queries are served, and take over the differences."""
        fresh = Mirror()
        for database in FOLLOWED:
            cursor = ""
            while cursor != "0":
                cursor, entries = await self._frontends.scan(database, cursor or "0", CHUNK_KEYS)
                fresh.apply(entries)
        self._notify(self.mirror.adopt(fresh))

    async def _take_over(self, heard: Heard) -> None:
        if not heard.touched and self._frontends.epoch is not None:
            # Redis was silent for a while, or somebody waits for what was read before.
            await self._frontends.check_epoch()
        self._notify(self.mirror.apply(await self._frontends.read(sorted(heard.touched))))
        if self._frontend_id is not None:
            await self._acknowledge(heard.tokens, self._frontend_id)

    async def _acknowledge(self, tokens: list[str], frontend_id: str) -> None:
        """Acknowledge tokens; that may fail, since writers wait for a bounded time only."""
        try:
            for token in tokens:
                await self._frontends.acknowledge(token, frontend_id)
        except RegistryUnavailable as exc:
            logger.warning("could not acknowledge a change, which was applied: %s", exc)

    def _notify(self, changes: Changes) -> None:
        if changes:
            self._listener.registry_changed(changes)

    def _set_followed(self) -> None:
        self.connected = True
        self._backoff_s = FIRST_BACKOFF_S
        self._last_trouble = ""
        self.followed.set()
        logger.info("following the registry at %s", self._settings.address)
        self._listener.registry_followed()

    def _lose(self, trouble: str) -> None:
        if trouble != self._last_trouble:
            logger.warning("%s; serving from the last known state, retrying", trouble)
            self._last_trouble = trouble
        self.connected = False
