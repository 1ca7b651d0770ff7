"""A subscription to the registry's keyspace events: which keys were touched.

Owns the connection that events arrive on, and notices when it is silent. Reads no values.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from redis.exceptions import ResponseError

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.registry.connection import RedisSettings, make_connection, translated
from clipper_frontend.registry.keys import FOLLOWED, Database, keyspace_pattern, parse_keyspace_channel

logger = logging.getLogger("clipper.registry")

PING_INTERVAL_S = 1.5
#: Two pings may go unanswered before the link counts as lost.
SILENCE_LIMIT_S = 4.5

_NEEDED_EVENTS = "AKE"
#: A prolonged lifetime changes no value.
_IGNORED_EVENTS = frozenset({"expire"})

Touched = set[tuple[Database, str]]


class Subscription:
    """One connection that hears of every touched key of the followed databases."""

    def __init__(self, settings: RedisSettings) -> None:
        self._connection: Any = make_connection(settings)
        self._last_heard_s = 0.0

    async def open(self) -> None:
        """Connect and subscribe; raises RegistryUnavailable."""
        with translated("follow the registry"):
            await self._connection.connect()
            await self._ensure_events()
            await self._send("PSUBSCRIBE", *map(keyspace_pattern, FOLLOWED))
            for _ in FOLLOWED:
                await self._connection.read_response()
        self._last_heard_s = _now_s()

    async def next_touched(self, limit: int) -> Touched:
        """Return up to `limit` keys that were touched; none when nothing happened for a while.

        Raises RegistryUnavailable when the connection is lost or silent.
        """
        touched: Touched = set()
        with translated("follow the registry"):
            message = await self._connection.read_response(timeout=PING_INTERVAL_S)
            if message is None:
                await self._probe()
            while message is not None:
                self._note(message, touched)
                if len(touched) >= limit:
                    break
                # What has arrived is read without waiting.
                message = await self._connection.read_response(timeout=0)
        return touched

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.disconnect(nowait=True)

    async def _probe(self) -> None:
        silence_s = _now_s() - self._last_heard_s
        if silence_s > SILENCE_LIMIT_S:
            raise RegistryUnavailable(f"follow the registry: Redis has been silent for {silence_s:.1f} s")
        await self._send("PING")

    def _note(self, message: list[str], touched: Touched) -> None:
        self._last_heard_s = _now_s()
        if message[0] != "pmessage" or message[3] in _IGNORED_EVENTS:
            return
        touched.add(parse_keyspace_channel(message[2]))

    async def _send(self, *command: str) -> None:
        await self._connection.send_command(*command, check_health=False)

    async def _ensure_events(self) -> None:
        """Make Redis tell of touched keys; where CONFIG is forbidden, say what must be set."""
        try:
            await self._send("CONFIG", "GET", "notify-keyspace-events")
            reply = await self._connection.read_response()
            flags = reply[1] if reply else ""
            if "K" not in flags or "A" not in flags:
                wanted = "".join(sorted(set(flags) | set(_NEEDED_EVENTS)))
                await self._send("CONFIG", "SET", "notify-keyspace-events", wanted)
                await self._connection.read_response()
        except ResponseError as exc:
            logger.warning(
                "Redis does not let its CONFIG be used (%s): changes are followed only when its own "
                "configuration has notify-keyspace-events %s",
                exc,
                _NEEDED_EVENTS,
            )


def _now_s() -> float:
    return asyncio.get_running_loop().time()
