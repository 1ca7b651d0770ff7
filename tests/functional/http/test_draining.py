"""Draining: every request received is answered, then connections are closed."""

from __future__ import annotations

import asyncio

from clipper_frontend.query.http.limits import HttpLimits
from tests.support.frontends.http_edge import EchoHandler, Edge, HoldingHandler, get, post, run_edge


def test_idle_and_fresh_connections_are_closed_at_once() -> None:
    async def scenario(edge: Edge) -> None:
        fresh = await edge.connect()
        idle = await edge.connect()
        await idle.request(get("/"))  # the server takes connections in turn: it has both now
        assert len(edge.connections) == 2
        edge.connections.start_draining()
        await idle.closed()
        await fresh.closed()
        assert await edge.connections.wait_closed(timeout_s=10) == 0

    run_edge(scenario, EchoHandler())


def test_what_is_owed_is_answered_and_the_last_answer_announces_the_end() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/1"), get("/2"), get("/3"))
        first, second, third = await handler.take(3)
        edge.connections.start_draining()
        second.respond(200, b"2")
        first.respond(200, b"1")
        for number in (b"1", b"2"):
            response = await client.response()
            assert (response.body, response.closes) == (number, False)
        third.respond(200, b"3")
        response = await client.response()
        assert (response.body, response.closes) == (b"3", True)
        await client.closed()

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_a_request_that_has_begun_is_still_answered() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        await client.request(get("/before"))
        seen = edge.received_bytes
        whole = post("/a", b"body")
        client.send(whole[:-2])
        await edge.received(seen + len(whole) - 2)
        edge.connections.start_draining()
        response = await client.request(whole[-2:])
        assert (response.json()["body"], response.closes) == ("body", True)
        await client.closed()

    run_edge(scenario, EchoHandler())


def test_connections_made_while_draining_are_closed() -> None:
    async def scenario(edge: Edge) -> None:
        edge.connections.start_draining()
        await (await edge.connect()).closed()

    run_edge(scenario, EchoHandler())


def test_retired_connections_answer_once_more_and_say_that_it_is_the_last_time() -> None:
    async def scenario(edge: Edge) -> None:
        used = await edge.connect()
        await used.request(get("/before"))
        fresh = await edge.connect()
        silent = await edge.connect()
        await silent.request(get("/"))
        retiring = asyncio.create_task(edge.connections.retire(timeout_s=0.5))
        await asyncio.sleep(0)
        for client in (used, fresh, await edge.connect()):
            assert (await client.request(get("/last"))).closes
            await client.closed()
        await retiring
        assert len(edge.connections) == 1
        edge.connections.start_draining()
        await silent.closed()

    run_edge(scenario, EchoHandler())


def test_retiring_ends_with_the_last_connection() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        await client.request(get("/"))
        retiring = asyncio.create_task(edge.connections.retire(timeout_s=30))
        await asyncio.sleep(0)
        await client.request(get("/last"))
        await asyncio.wait_for(retiring, 10)

    run_edge(scenario, EchoHandler())


def test_connections_left_at_the_end_are_aborted_and_counted() -> None:
    async def scenario(edge: Edge) -> None:
        clients = [await edge.connect() for _ in range(3)]
        for client in clients:
            client.send(get("/never"))
        exchanges = await handler.take(3)
        exchanges[0].respond(200, b"answered")
        edge.connections.start_draining()
        assert await edge.connections.wait_closed(timeout_s=0.05) == 2
        exchanges[1].respond(200, b"too late")
        assert (await clients[0].response()).body == b"answered"

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_waiting_ends_with_the_last_connection() -> None:
    async def scenario(edge: Edge) -> None:
        assert await edge.connections.wait_closed(timeout_s=0) == 0
        client = await edge.connect()
        client.send(get("/"))
        exchange = await handler.next()
        edge.connections.start_draining()
        waiters = [asyncio.create_task(edge.connections.wait_closed(timeout_s=10)) for _ in range(2)]
        exchange.respond(200, b"")
        assert [await waiter for waiter in waiters] == [0, 0]
        assert edge.connections.draining
        assert len(edge.connections) == 0

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_no_timer_runs_without_connections() -> None:
    async def scenario(edge: Edge) -> None:
        for _ in range(2):
            client = await edge.connect()
            await client.request(get("/", "Connection: close"))
            await client.closed()
            assert await edge.connections.wait_closed(timeout_s=10) == 0
            assert edge.connections._timer is None

    run_edge(scenario, EchoHandler(), HttpLimits(idle_timeout_s=0.04))
