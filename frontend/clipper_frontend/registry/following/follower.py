"""The follower: keeps a mirror of the registry equal to Redis, and tells a listener what changed.

Owns one task, its subscription and its client. Routing and serving are the listener's; while Redis is away
the mirror stays as it was.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.registry.connection import RedisSettings, connect
from clipper_frontend.registry.following.subscription import Heard, Subscription
from clipper_frontend.registry.frontends import Frontends
from clipper_frontend.registry.keys import FOLLOWED
from clipper_frontend.registry.mirror import Changes, Mirror
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.registry")

#: Keys read at a time: reading and taking them over holds up queries for about a millisecond.
CHUNK_KEYS = 100
#: Events can be missed without the link being lost (FLUSHALL sends none, CONFIG can stop them).
RESYNC_INTERVAL_S = 60.0
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 2.0


class RegistryListener(Protocol):
    """Who is told of changes. All methods are called in the event loop and must return at once."""

    def registry_changed(self, changes: Changes) -> None:
        """The follower's mirror has changed, in these names."""

    def registry_followed(self) -> None:
        """The mirror is complete, and is followed from now on."""


class Follower:
    """Follows one Redis from start() to close().

    `mirror` is read by anybody and always the same object; `followed` is set once the first full reading is
    done; `connected` tells whether changes arrive now. With a frontend id, those who ask whether
    changes were taken over are told so under that id.
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
        self._scripts = Frontends(self._redis)
        self._task: asyncio.Task[None] | None = None
        self._backoff_s = FIRST_BACKOFF_S
        self._last_trouble = ""

    def start(self) -> None:
        """Start to follow, in a task of its own."""
        self._task = asyncio.create_task(self._run(), name="registry-follower")

    async def close(self) -> None:
        """Stop to follow, and close all connections."""
        if self._task is not None:
            await end_task(self._task)
        await self._redis.aclose()

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except RegistryUnavailable as exc:
                self._lose(str(exc))
            except Exception as exc:  # the root of this task: a fresh start reads all anew
                logger.exception("following the registry failed")
                self._lose(repr(exc))
            await asyncio.sleep(self._backoff_s)
            self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)

    async def _follow(self) -> None:
        """Subscribe, read everything, and then whatever is touched, until the link is lost."""
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
        """Read everything in chunks, queries being served in between, and take over what differs."""
        fresh = Mirror()
        for database in FOLLOWED:
            cursor = ""
            while cursor != "0":
                cursor, entries = await self._scripts.scan(database, cursor or "0", CHUNK_KEYS)
                fresh.apply(entries)
        self._tell(self.mirror.adopt(fresh))

    async def _take_over(self, heard: Heard) -> None:
        self._tell(self.mirror.apply(await self._scripts.read(sorted(heard.touched))))
        if self._frontend_id is not None:
            await self._acknowledge(heard.tokens, self._frontend_id)

    async def _acknowledge(self, tokens: list[str], frontend_id: str) -> None:
        """Tell who asked; they wait for a bounded time only, so that it may fail."""
        try:
            for token in tokens:
                await self._scripts.acknowledge(token, frontend_id)
        except RegistryUnavailable as exc:
            logger.warning("%s; the change itself was taken over", exc)

    def _tell(self, changes: Changes) -> None:
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
            logger.warning("%s; what is known of it stays, and it is tried again", trouble)
            self._last_trouble = trouble
        self.connected = False
