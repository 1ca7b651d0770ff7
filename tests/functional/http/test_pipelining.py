"""Several requests of one connection at once: the order of answers, the bounds, and the slow reader."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from clipper_frontend.query.http.exchange import Exchange
from clipper_frontend.query.http.limits import HttpLimits
from clipper_frontend.query.http.protocol import HttpProtocol
from tests.support.frontends.http_edge import EchoHandler, Edge, HoldingHandler, get, post, run_edge


def test_answers_come_in_the_order_of_the_requests() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(*(post(f"/{i}", b"x" * i) for i in range(50)))
        exchanges = await handler.take(50)
        random.Random(7).shuffle(exchanges)
        for exchange in exchanges:
            status = 404 if exchange.path == b"/7" else 200
            exchange.respond(status, exchange.path)
        for i in range(50):
            response = await client.response()
            assert (response.status, response.body) == (404 if i == 7 else 200, b"/%d" % i)

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_later_answers_are_not_sent_before_the_first() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/1"), get("/2"), get("/3"))
        first, second, third = await handler.take(3)
        third.respond(200, b"3")
        second.respond(200, b"2")
        # Another connection's answer is written after those two: by then they would have arrived.
        other = await edge.connect()
        other.send(get("/other"))
        (await handler.next()).respond(200, b"other")
        assert (await other.response()).body == b"other"
        first.respond(500, b"1")
        assert [(await client.response()).body for _ in range(3)] == [b"1", b"2", b"3"]

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_the_handler_never_has_more_than_the_bound() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(*(get(f"/{i}") for i in range(1000)))
        await edge.received(1)
        waiting = await handler.take(4)
        for i in range(1000):
            assert handler.handled == min(i + 4, 1000)
            waiting.pop(0).respond(200, b"%d" % i)
            if i + 4 < 1000:
                waiting.append(await handler.next())
            assert (await client.response()).body == b"%d" % i
        assert (await asyncio.gather(client.request(get("/end")), _answer_next(handler)))[0].body == b"/end"

    handler = HoldingHandler()
    run_edge(scenario, handler, HttpLimits(max_pipelined=4))


async def _answer_next(handler: HoldingHandler) -> None:
    exchange = await handler.next()
    exchange.respond(200, exchange.path)


def test_answering_one_of_many_that_wait_is_no_recursion() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/hold"), *(get("/") for _ in range(5000)))
        await edge.received(len(get("/")))
        (await handler.held).respond(200, b"held")
        for _ in range(5001):
            assert (await client.response()).status == 200

    handler = _HoldFirst()
    run_edge(scenario, handler, HttpLimits(max_pipelined=2))


class _HoldFirst(EchoHandler):
    """Holds the request to /hold and echoes the others."""

    def __init__(self) -> None:
        super().__init__()
        self._held: asyncio.Future[Exchange] | None = None

    @property
    def held(self) -> asyncio.Future[Exchange]:
        if self._held is None:
            self._held = asyncio.get_running_loop().create_future()
        return self._held

    def handle(self, exchange: Exchange) -> None:
        if exchange.path == b"/hold":
            self.held.set_result(exchange)
        else:
            super().handle(exchange)


def test_a_long_pipeline_leaves_other_connections_their_turn() -> None:
    async def scenario(edge: Edge) -> None:
        hog, other = await edge.connect(), await edge.connect()
        await other.request(get("/before"))
        handler.paths.clear()
        handler.at_first = lambda: other.send(get("/other"))
        hog.send(*(get("/hog") for _ in range(500)))
        for _ in range(500):
            assert (await hog.response()).status == 200
        assert (await other.response()).status == 200
        assert len(handler.paths) == 501
        assert handler.paths.index(b"/other") <= 100

    handler = _NotesPaths()
    run_edge(scenario, handler)


class _NotesPaths(EchoHandler):
    """Echoes, and notes the paths in the order in which it gets them."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[bytes] = []
        self.at_first: Callable[[], object] = int

    def handle(self, exchange: Exchange) -> None:
        if not self.paths:
            self.at_first()
        self.paths.append(exchange.path)
        super().handle(exchange)


def test_a_refusal_comes_after_the_answers_before_it() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/1"), get("/2"), get("/3"), b"garbage\r\n\r\n")
        for number in (b"1", b"2", b"3"):
            (await handler.next()).respond(200, number)
        for number in (b"1", b"2", b"3"):
            response = await client.response()
            assert (response.body, response.closes) == (number, False)
        refusal = await client.response()
        assert (refusal.status, refusal.closes) == (400, True)
        await client.closed()

    handler = HoldingHandler()
    run_edge(scenario, handler, HttpLimits(max_pipelined=2))


def test_what_follows_a_last_request_is_ignored() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/1"), get("/2", "Connection: close"), get("/3"))
        for number in (b"1", b"2"):
            (await handler.next()).respond(200, number)
        assert (await client.response()).body == b"1"
        last = await client.response()
        assert (last.body, last.closes) == (b"2", True)
        assert handler.handled == 2

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_answers_do_not_pile_up_for_a_client_that_does_not_read() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect(receive_buffer_bytes=65536)
        client.send(*(get("/") for _ in range(1000)))
        for _ in range(1000):
            assert (await client.response()).body == _LargeAnswers.answer
        assert handler.max_unsent_bytes < 65536 + 2 * len(_LargeAnswers.answer)

    handler = _LargeAnswers()
    run_edge(scenario, handler, HttpLimits(write_buffer_bytes=65536))


class _LargeAnswers:
    """Answers at once with 100 kB, and notes how much has piled up."""

    answer = b"x" * 100_000

    def __init__(self) -> None:
        self.max_unsent_bytes = 0

    def handle(self, exchange: Exchange) -> None:
        exchange.respond(200, self.answer)
        connection = exchange.connection
        assert isinstance(connection, HttpProtocol)
        unsent_bytes = connection._transport.get_write_buffer_size()
        self.max_unsent_bytes = max(self.max_unsent_bytes, unsent_bytes)
