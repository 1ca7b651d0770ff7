"""A connection on which Redis sends messages: keyspace events, and those that are published on channels.

It notices when the connection is lost or silent.
"""

from __future__ import annotations

import asyncio
from typing import Any

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.registry.connection import RedisSettings, make_connection, translated

PING_INTERVAL_S = 1.5
#: Two pings may go unanswered before the link counts as lost.
SILENCE_LIMIT_S = 4.5

_KINDS = frozenset({"message", "pmessage"})


class MessageLink:
    """One connection that receives messages. Errors name its `purpose`."""

    def __init__(self, settings: RedisSettings, purpose: str) -> None:
        self._purpose = purpose
        self._connection: Any = make_connection(settings)
        self._last_heard_s = 0.0

    async def open(self) -> None:
        """Connect; raises RegistryUnavailable."""
        with translated(self._purpose):
            await self._connection.connect()
        self._last_heard_s = _now_s()

    async def ask(self, *command: str) -> Any:
        """Return a command's reply; only before the first subscription. Raises Redis's own errors."""
        await self._send(*command)
        return await self._connection.read_response()

    async def subscribe(self, *, channels: tuple[str, ...] = (), patterns: tuple[str, ...] = ()) -> None:
        """Receive the messages of these channels from now on; raises RegistryUnavailable."""
        with translated(self._purpose):
            for command, names in (("SUBSCRIBE", channels), ("PSUBSCRIBE", patterns)):
                if names:
                    await self._send(command, *names)
                for _ in names:
                    await self._connection.read_response()

    async def next_messages(self, limit: int) -> list[list[str]]:
        """Return up to `limit` messages in the order of Redis; none if nothing arrived for a while.

        A message is ["message", channel, text] or ["pmessage", pattern, channel, text]. Raises
        RegistryUnavailable if the connection is lost or silent.
        """
        messages: list[list[str]] = []
        with translated(self._purpose):
            heard = await self._connection.read_response(timeout=PING_INTERVAL_S)
            if heard is None:
                await self._probe()
            while heard is not None:
                self._last_heard_s = _now_s()
                if heard[0] in _KINDS:
                    messages.append(heard)
                if len(messages) >= limit:
                    break
                # Messages that have arrived are read without waiting.
                heard = await self._connection.read_response(timeout=0)
        return messages

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.disconnect(nowait=True)

    async def _probe(self) -> None:
        silence_s = _now_s() - self._last_heard_s
        if silence_s > SILENCE_LIMIT_S:
            raise RegistryUnavailable(f"{self._purpose}: Redis has been silent for {silence_s:.1f} s")
        await self._send("PING")

    async def _send(self, *command: str) -> None:
        await self._connection.send_command(*command, check_health=False)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
