"""The time at which a query could have been read, on a real event loop that is kept busy."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import cast

import uvloop

from clipper_frontend.query.http.arrivals import ArrivalClock


class _Notes(asyncio.Protocol):
    """Notes how late each segment is read; then keeps the loop busy, as a costly request does."""

    def __init__(
        self, clock: ArrivalClock, busy_s: float, late_s: list[float], enough: asyncio.Event
    ) -> None:
        self._clock, self._busy_s, self._late_s, self._enough = clock, busy_s, late_s, enough

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 (only its time counts)
        self._late_s.append(time.monotonic() - self._clock.arrival(self._transport))
        if len(self._late_s) == 2:
            self._enough.set()
        time.sleep(self._busy_s)


def _send_and_be_busy(client: socket.socket, busy_s: float) -> None:
    client.send(b"z")
    time.sleep(busy_s)


def _lateness(busy_s: float, pause_s: float, *, two_clients: bool) -> list[float]:
    async def run() -> list[float]:
        late_s: list[float] = []
        enough = asyncio.Event()
        clock, loop = ArrivalClock(), asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Notes(clock, busy_s, late_s, enough), "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        with socket.create_connection(address) as first, socket.create_connection(address) as second:
            await asyncio.sleep(0.05)
            first.send(b"x")
            if two_clients:
                second.send(b"y")
            else:
                loop.call_soon(time.sleep, busy_s)
                loop.call_later(pause_s, _send_and_be_busy, first, busy_s)
            await asyncio.wait_for(enough.wait(), 10)
        server.close()
        return late_s

    return uvloop.run(run())


def test_what_waits_while_another_connection_is_served_has_arrived_before() -> None:
    assert max(_lateness(0.1, 0, two_clients=True)) > 0.08


def test_what_comes_while_the_loop_is_busy_has_arrived_before() -> None:
    assert max(_lateness(0.1, 0.3, two_clients=False)) > 0.08


async def test_what_is_read_late_in_a_turn_has_arrived_at_its_beginning() -> None:
    clock, began_s = ArrivalClock(), time.monotonic() - 0.1
    turns_s = iter([began_s - 0.001, began_s, began_s])
    clock._loop_time = turns_s.__next__
    transport = asyncio.Transport()
    clock.arrival(transport)
    assert [clock.arrival(transport) for _ in range(2)] == [began_s, began_s]


def test_what_is_read_at_once_has_arrived_now() -> None:
    assert max(_lateness(0.0, 0.05, two_clients=False)) < 0.05
