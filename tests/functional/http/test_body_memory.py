"""The memory of all request bodies together: bounded, and given back however a request ends."""

from __future__ import annotations

import gzip

import pytest

from clipper_frontend.query.http.limits import HttpLimits
from tests.support.frontends.http_edge import (
    Client,
    EchoHandler,
    Edge,
    HoldingHandler,
    chunked,
    post,
    run_edge,
)

LIMITS = HttpLimits(max_body_bytes=100_000, body_memory_bytes=250_000)
WHOLE = post("/a", b"x" * 90_000)


async def _half_sent(edge: Edge, count: int) -> list[Client]:
    clients = []
    for _ in range(count):
        client = await edge.connect()
        seen = edge.received_bytes
        client.send(WHOLE[:-1000])
        await edge.received(seen + len(WHOLE) - 1000)
        clients.append(client)
    return clients


@pytest.mark.parametrize("sent", [WHOLE, chunked(b"x" * 45_000, b"x" * 45_000)], ids=["declared", "chunked"])
def test_bodies_beyond_the_bound_are_refused_with_a_time_to_come_back(sent: bytes) -> None:
    async def scenario(edge: Edge) -> None:
        waiting = await _half_sent(edge, 2)
        late = await edge.connect()
        seen = edge.received_bytes
        late.send(sent[:-1000])
        await edge.received(seen + len(sent) - 1000)
        response = await late.response()
        assert (response.status, response.closes) == (503, True)
        assert response.headers["retry-after"] == "1"
        assert response.json()["error"] == "Too many bodies"
        for client in waiting:
            assert (await client.request(WHOLE[-1000:])).status == 200
        assert edge.connections.bodies.used_bytes == 0
        assert (await (await edge.connect()).request(WHOLE)).status == 200

    run_edge(scenario, EchoHandler(), LIMITS)


def test_decompressed_bytes_count() -> None:
    async def scenario(edge: Edge) -> None:
        waiting = await _half_sent(edge, 2)
        client = await edge.connect()
        compressed = post("/a", gzip.compress(b"x" * 90_000), "Content-Encoding: gzip")
        response = await client.request(compressed)
        assert (response.status, response.closes) == (503, False)
        assert response.headers["retry-after"] == "1"
        waiting[0].reset()
        while (response := await client.request(compressed)).status == 503:
            pass
        assert response.status == 200

    run_edge(scenario, EchoHandler(), LIMITS)


def test_a_body_counts_until_its_request_is_answered() -> None:
    async def scenario(edge: Edge) -> None:
        for client in await _half_sent(edge, 2):
            client.send(WHOLE[-1000:])
        first, second = await handler.take(2)
        assert edge.connections.bodies.used_bytes == 180_000
        first.respond(200, b"")
        assert edge.connections.bodies.used_bytes == 90_000
        second.respond(200, b"")
        assert edge.connections.bodies.used_bytes == 0

    handler = HoldingHandler()
    run_edge(scenario, handler, LIMITS)


@pytest.mark.parametrize("complete", [False, True])
def test_a_client_that_goes_gives_its_memory_back(complete: bool) -> None:
    async def scenario(edge: Edge) -> None:
        (client,) = await _half_sent(edge, 1)
        if complete:
            client.send(WHOLE[-1000:])
            exchange = await handler.next()
        client.reset()
        assert await edge.connections.wait_closed(timeout_s=10) == 0
        assert edge.connections.bodies.used_bytes == 0
        if complete:
            exchange.respond(200, b"too late")
            assert edge.connections.bodies.used_bytes == 0

    handler = HoldingHandler()
    run_edge(scenario, handler, LIMITS)


def test_a_refused_body_gives_its_memory_back() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        sent = chunked(b"x" * 60_000, b"x" * 60_000)
        client.send(sent[:50_000])
        await edge.received(50_000)
        client.send(sent[50_000:])
        assert (await client.response()).status == 413
        assert edge.connections.bodies.used_bytes == 0

    run_edge(scenario, EchoHandler(), LIMITS)
