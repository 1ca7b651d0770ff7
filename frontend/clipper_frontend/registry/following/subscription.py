"""A subscription to the registry's events: touched keys, and tokens to acknowledge.

It configures Redis so that it sends the events. It reads no values.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from redis.exceptions import ResponseError

from clipper_frontend.registry.connection import RedisSettings, translated
from clipper_frontend.registry.following.messages import MessageLink
from clipper_frontend.registry.keys import (
    FOLLOWED,
    SYNC_CHANNEL,
    Database,
    keyspace_pattern,
    parse_keyspace_channel,
)

logger = logging.getLogger("clipper.registry")

_PURPOSE = "follow the registry"
_NEEDED_EVENTS = "AKE"
#: The prolongation of a lifetime changes no value.
_IGNORED_EVENTS = frozenset({"expire"})

Touched = set[tuple[Database, str]]


class Heard(NamedTuple):
    """The keys that were touched, and the tokens to acknowledge once these keys have been read."""

    touched: Touched
    tokens: list[str]


class Subscription:
    """Receives every touched key of the followed databases, and synchronization tokens, in one order."""

    def __init__(self, settings: RedisSettings) -> None:
        self._link = MessageLink(settings, _PURPOSE)

    async def open(self) -> None:
        """Connect and subscribe; raises RegistryUnavailable."""
        await self._link.open()
        with translated(_PURPOSE):
            await self._ensure_events()
        # The channel comes last: a token arrives only after all keys that were touched before it.
        await self._link.subscribe(patterns=tuple(map(keyspace_pattern, FOLLOWED)))
        await self._link.subscribe(channels=(SYNC_CHANNEL,))

    async def next_heard(self, limit: int) -> Heard:
        """Return the contents of up to `limit` messages; they are empty if nothing happened for a while.

        Raises RegistryUnavailable if the connection is lost or silent.
        """
        heard = Heard(set(), [])
        for message in await self._link.next_messages(limit):
            match message:
                case ["message", _, token]:
                    heard.tokens.append(token)
                case ["pmessage", _, channel, event] if event not in _IGNORED_EVENTS:
                    heard.touched.add(parse_keyspace_channel(channel))
        return heard

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    async def _ensure_events(self) -> None:
        """Make Redis send events of touched keys; if CONFIG is forbidden, log the setting that it needs."""
        try:
            reply = await self._link.ask("CONFIG", "GET", "notify-keyspace-events")
            flags = reply[1] if reply else ""
            if "K" not in flags or "A" not in flags:
                wanted = "".join(sorted(set(flags) | set(_NEEDED_EVENTS)))
                await self._link.ask("CONFIG", "SET", "notify-keyspace-events", wanted)
        except ResponseError as exc:
            logger.warning(
                "could not configure Redis (%s): changes are followed only if its own configuration has "
                "notify-keyspace-events %s",
                exc,
                _NEEDED_EVENTS,
            )
