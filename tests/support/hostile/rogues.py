"""Peers of the RPC socket that misbehave: strangers, members, floods, other protocols."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator

import zmq
import zmq.asyncio

from clipper_container import wire
from tests.support.hostile import rpc_grammar
from tests.support.hostile.counts import Counts
from tests.support.hostile.rpc_grammar import Frames, answer, any_message, metadata, u32

_LINGER_MS = 200
_REPLY_WITHIN_MS = 100
_MEMBER_ROUNDS = 30
_MAX_REPLAYED = 200

Socket = zmq.asyncio.Socket


class Rogues:
    """Makes rogue peers of one frontend's RPC socket, one by one."""

    def __init__(self, address: str, counts: Counts) -> None:
        self._address = address
        self._counts = counts
        self._context = zmq.asyncio.Context()
        self._seen: deque[Frames] = deque(maxlen=_MAX_REPLAYED)

    def close(self) -> None:
        """Drop what was not sent."""
        self._context.destroy(linger=0)

    async def misbehave(self, rng: random.Random) -> None:
        """Be one rogue peer, from its connection to its end."""
        act = rng.choice(
            (self._strange, self._strange, self._join, self._join, self._join, self._speak_other)
        )
        await act(rng)

    async def flood(self, frames: Frames, count: int) -> None:
        """Send one message so often, as fast as the socket takes it, and read nothing."""
        async with self._connected() as socket:
            for number in range(count):
                await socket.send_multipart(frames)
                self._counts.cases += 1
                if number % 100 == 0:
                    await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Socket]:
        socket = self._context.socket(zmq.DEALER)
        socket.linger = _LINGER_MS
        socket.connect(f"tcp://{self._address}")
        try:
            yield socket
        finally:
            socket.close()

    async def _send(self, socket: Socket, frames: Frames) -> None:
        self._counts.cases += 1
        self._seen.append(frames)
        await socket.send_multipart(frames)

    async def _strange(self, rng: random.Random) -> None:
        """Send messages, some of them those of others, and perhaps read the replies."""
        async with self._connected() as socket:
            for _ in range(rng.randrange(1, 30)):
                replayed = self._seen and rng.random() < 0.2
                frames = rng.choice(self._seen) if replayed else any_message(rng, f"rogue-{rng.random()}")
                await self._send(socket, frames)
                if rng.random() < 0.2:
                    await _receive(socket)

    async def _join(self, rng: random.Random) -> None:
        """Become a replica, and answer batches wrongly, twice, late, never, or before they are sent."""
        version, instance_id = rng.choice((wire.V3, wire.V4)), f"rogue-{rng.random()}"
        async with self._connected() as socket:
            await self._send(socket, wire.encode_hello() if version == wire.V4 else [b"", u32(2)])
            await self._send(socket, metadata(version, instance_id))
            for _ in range(rng.randrange(_MEMBER_ROUNDS)):
                request = await _receive(socket)
                for frames in _reaction(rng, version, request, instance_id):
                    await self._send(socket, frames)

    async def _speak_other(self, rng: random.Random) -> None:
        """Send bytes that are no ZeroMQ, and see the connection end or not."""
        host, _, port = self._address.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        self._counts.cases += 1
        with contextlib.suppress(ConnectionError):
            writer.write(rpc_grammar.any_bytes(rng))
            await writer.drain()
            await asyncio.sleep(rng.choice((0, 0, 0.05)))
        writer.transport.abort()


async def _receive(socket: Socket) -> wire.Request | None:
    """Return the next message if it comes soon and is a request."""
    if not await socket.poll(_REPLY_WITHIN_MS):
        return None
    message = wire.decode_from_frontend(await socket.recv_multipart())
    return message if isinstance(message, wire.Request) else None


def _reaction(
    rng: random.Random, version: int, request: wire.Request | None, instance_id: str
) -> list[Frames]:
    """Return what a member sends after it has got a request, or none."""
    if request is None:
        return [any_message(rng, instance_id)]
    right = answer(version, request.message_id, [b"1"] * len(request.inputs))
    other = answer(7 - version, request.message_id, [b"2"] * len(request.inputs))
    return rng.choice(
        (
            *([right], [right], [right, right], [], [other], [right, any_message(rng, instance_id)]),
            [answer(version, request.message_id + 1, [b"3"])],
            [answer(version, request.message_id, [b"4"] * (len(request.inputs) + 1))],
            [wire.encode_goodbye(), right],
            [metadata(version, instance_id, name="other"), right],
            [any_message(rng, instance_id) for _ in range(5)],
        )
    )
