"""The limits of the HTTP edge in sizes and times, and that the client sees each refusal."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from clipper_frontend.query.http.limits import HttpLimits
from tests.support.frontends.http_edge import (
    Client,
    EchoHandler,
    Edge,
    HoldingHandler,
    Response,
    chunked,
    get,
    post,
    run_edge,
)

MIB = 1024 * 1024
LONG_URL = "/" + "u" * 9000
HEADERS_70_KB = [f"X-{i:04}: {'h' * 100}" for i in range(640)]


async def assert_refused(client: Client, status: int, error: str, cause: str) -> None:
    response = await client.response()
    assert response.status == status
    assert response.closes
    assert response.headers["content-type"] == "application/json"
    refusal = response.json()
    assert refusal.keys() == {"error", "cause"}
    assert refusal["error"] == error
    assert cause in refusal["cause"]
    await client.closed()


async def assert_serves(edge: Edge) -> None:
    assert (await (await edge.connect()).request(post("/good", b"query"))).json()["body"] == "query"


@pytest.mark.parametrize(
    ("sent", "status", "error", "cause"),
    [
        (post("/a", b"x" * 1001), 413, "Payload too large", "1000 bytes"),
        (post("/a", b"x" * 300_000), 413, "Payload too large", "1000 bytes"),
        (chunked(b"x" * 1001), 413, "Payload too large", "1000 bytes"),
        (chunked(*[b"x"] * 1001), 413, "Payload too large", "1000 bytes"),
        (get(LONG_URL), 414, "URI too long", "8192 bytes"),
        (get("/" + "u" * 60_000), 414, "URI too long", "8192 bytes"),
        (get("/", *HEADERS_70_KB), 431, "Request header fields too large", "65536 bytes"),
        (get("/", "X: " + "h" * 70_000), 431, "Request header fields too large", "65536 bytes"),
        (get("/", "X: " + "h" * 700_000), 431, "Request header fields too large", "65536 bytes"),
        (b"\r\n" * 40_000, 431, "Request header fields too large", "65536 bytes"),
        (
            chunked(trailers=b"T: " + b"t" * 300_000 + b"\r\n"),
            431,
            "Request header fields too large",
            "65536 bytes",
        ),
    ],
    ids=str.split(
        "body large-body chunk chunks url long-url headers header long-header empty-lines trailers"
    ),
)
@pytest.mark.parametrize("apart", [False, True], ids=["at-once", "apart"])
def test_too_large(sent: bytes, status: int, error: str, cause: str, apart: bool) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(sent[:20])
        if apart:
            await edge.received(20)
        client.send(sent[20:])
        await assert_refused(client, status, error, cause)
        await assert_serves(edge)
        assert edge.connections.refused_total == {status: 1}

    run_edge(scenario, EchoHandler(), HttpLimits(max_body_bytes=1000))


@pytest.mark.parametrize(
    "sent",
    [
        post("/a", b"x" * 1000),
        chunked(*[b"x"] * 1000),
        get("/" + "u" * 8191),
        get("/", "X: " + "h" * (65536 - len(get("/", "X: ")))),
    ],
    ids=["body", "chunks", "url", "header"],
)
@pytest.mark.parametrize("apart", [False, True], ids=["at-once", "apart"])
def test_as_large_as_allowed(sent: bytes, apart: bool) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        for _ in range(2):
            seen = edge.received_bytes
            client.send(sent[:20])
            if apart:
                await edge.received(seen + 20)
            client.send(sent[20:])
            assert (await client.response()).status == 200

    run_edge(scenario, EchoHandler(), HttpLimits(max_body_bytes=1000))


@pytest.mark.parametrize("excess", [0, 1])
@pytest.mark.parametrize("before_end", range(1, 5))
def test_header_limit_is_exact_wherever_its_end_is_cut(excess: int, before_end: int) -> None:
    size = 65536 + excess
    head = get("/", "X: " + "h" * (size - len(get("/", "X: "))))
    assert len(head) == size

    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(head[:-before_end])
        await edge.received(size - before_end)
        client.send(head[size - before_end :])
        assert (await client.response()).status == (431 if excess else 200)

    run_edge(scenario, EchoHandler())


def test_declared_body_is_refused_before_it_is_sent() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(post("/a", b"", "Content-Type: x").replace(b"Length: 0", b"Length: 104857600"))
        await assert_refused(client, 413, "Payload too large", "67108864 bytes")
        client = await edge.connect()
        client.send(post("/a", b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 104857600"))
        await assert_refused(client, 413, "Payload too large", "67108864 bytes")

    run_edge(scenario, EchoHandler())


async def _send_all_then_read(client: Client, head: bytes, piece: bytes, count: int) -> Response:
    """Send the whole body before reading an answer, as many clients do."""
    client.send(head)
    for _ in range(count):
        client.send(piece)
        await client.writer.drain()
    return await client.response()


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (post("/a").replace(b"Length: 0", b"Length: 104857600"), b"x" * MIB),
        (
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"100000\r\n" + b"x" * MIB + b"\r\n",
        ),
    ],
    ids=["declared", "chunked"],
)
def test_client_that_sends_100_mb_sees_the_refusal(head: bytes, piece: bytes) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        response = await _send_all_then_read(client, head, piece, 100)
        assert response.status == 413
        await client.closed()
        await assert_serves(edge)

    run_edge(scenario, EchoHandler())


def test_client_that_never_stops_sending_is_cut_off() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(b"garbage\r\n\r\n")
        assert (await client.response()).status == 400
        with pytest.raises(ConnectionError):
            await _send_all_then_read(client, b"", b"x" * MIB, 1000)
        await assert_serves(edge)
        assert edge.received_bytes < 100 * MIB

    run_edge(scenario, EchoHandler(), HttpLimits(linger_bytes=MIB))


def test_refused_client_that_stays_is_cut_off() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(b"garbage\r\n\r\n")
        assert (await client.response()).status == 400
        assert await edge.connections.wait_closed(timeout_s=10) == 0

    run_edge(scenario, EchoHandler(), HttpLimits(linger_timeout_s=0.05))


SHORT = HttpLimits(header_timeout_s=0.1, body_timeout_s=0.1, idle_timeout_s=0.1)


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        (b"", "header"),
        (b"P", "header"),
        (b"POST /a HTTP/1.1\r\nHost: te", "header"),
        (b"\r\n", "header"),
        (post("/a", b"body")[:-4], "body"),
        (post("/a", b"body")[:-1], "body"),
        (chunked(b"body")[:-2], "body"),
    ],
)
@pytest.mark.parametrize("kept_alive", [False, True])
def test_unfinished_request_times_out(sent: bytes, part: str, kept_alive: bool) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        if kept_alive:
            await client.request(get("/before"))
        if sent or not kept_alive:
            client.send(sent)
            await assert_refused(client, 408, "Request timeout", f"the {part} was not complete within 0.1 s")
        else:
            await client.closed()
        await assert_serves(edge)

    run_edge(scenario, EchoHandler(), SHORT)


@pytest.mark.parametrize(
    ("head", "drop"),
    [(b"POST /a HTTP/1.1\r\n", b"X: y\r\n"), (post("/a", b"x" * 10_000)[:-10_000], b"x"), (b"", b"\r\n")],
    ids=["header", "body", "empty-lines"],
)
def test_slow_loris_does_not_push_the_time_limit_out(head: bytes, drop: bytes) -> None:
    async def drip(client: Client) -> None:
        while True:
            client.send(drop)
            await asyncio.sleep(0.01)

    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(head)
        dripping = asyncio.create_task(drip(client))
        response = await client.response()
        dripping.cancel()
        assert response.status == 408

    run_edge(scenario, EchoHandler(), SHORT)


def test_unanswered_request_has_no_time_limit_here() -> None:
    async def scenario(edge: Edge) -> None:
        waiting = await edge.connect()
        waiting.send(get("/slow"))
        exchange = await handler.next()
        idle = await edge.connect()
        idle.send(get("/quick"))
        (await handler.next()).respond(200, b"quick")
        await idle.response()
        await idle.closed()  # so the limit is long past for the other, which is older
        exchange.respond(200, b"slow")
        assert (await waiting.response()).body == b"slow"
        await waiting.closed()

    handler = HoldingHandler()
    run_edge(scenario, handler, SHORT)


def test_client_that_takes_nothing_is_cut_off() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect(receive_buffer_bytes=65536)
        cast("asyncio.Transport", client.writer.transport).pause_reading()
        client.send(get("/large"))
        (await handler.next()).respond(200, b"x" * (64 * MIB))
        assert await edge.connections.wait_closed(timeout_s=10) == 0

    handler = HoldingHandler()
    run_edge(scenario, handler, SHORT)


@pytest.mark.parametrize(
    "sent",
    [
        post("/a", b"abc", "Content-Length: 3"),
        post("/a", b"abc", "Content-Length: 4"),
        post("/a", b"abc", "Transfer-Encoding: chunked"),
        chunked(b"abc").replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n", 1),
        chunked(b"abc", trailers=b"Content-Length: 3\r\n"),
        chunked(b"abc").replace(b"chunked", b"chunked, gzip"),
        chunked(b"abc").replace(b"chunked", b"xchunked"),
        chunked(b"abc").replace(b"chunked", b"chunked\r\nTransfer-Encoding: chunked"),
        post("/a", b"abc").replace(b"Length: 3", b"Length: +3"),
        post("/a", b"abc").replace(b"Length: 3", b"Length: 3, 3"),
        post("/a", b"abc").replace(b"Length: 3", b"Length: 0x3"),
        post("/a", b"abc").replace(b"Length: 3", b"Length: " + b"9" * 30),
        post("/a", b"abc").replace(b"Content-Length:", b"Content-Length :"),
        post("/a", b"abc").replace(b"Host: test\r\n", b"Host: test\n"),
        get("/", "X: y\r\n folded"),
        get("/", "X: nul\0"),
        chunked(b"abc").replace(b"3\r\n", b"Z\r\n"),
        chunked(b"abc").replace(b"3\r\n", b"-3\r\n"),
        chunked(b"abc").replace(b"3\r\nabc", b"2\r\nabc"),
        get("/a b"),
        get("/\xff"),
        post("/a", b"abc").replace(b"Length: 3", b"Length: " + b"9" * 5000),
        get("/").replace(b"Host: test\r\n", b""),
        get("/", "Host: other"),
        get("/", "host:"),
        post("/a", b"", "X: host: x").replace(b"Host: test\r\n", b""),
        get("/", method="BREW"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HTTP/1.1 200 OK\r\n\r\n",
        get("/") + post("/b").replace(b"Length: 0", b"Length: x"),
    ],
)
def test_ambiguous_or_malformed_requests_are_refused(sent: bytes) -> None:
    smuggled = get("/smuggled")

    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(sent, smuggled)
        if sent.startswith(get("/")):
            await client.response()
        await assert_refused(client, 400, "Bad request", "")
        await assert_serves(edge)
        assert handler.handled == 1 + sent.startswith(get("/"))

    handler = EchoHandler()
    run_edge(scenario, handler)


@pytest.mark.parametrize(
    "sent",
    [
        get("/", version="1.2"),
        get("/", version="0.9"),
        get("/", "Connection: keep-alive", version="2.0"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_other_versions_of_http_are_refused(sent: bytes) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(sent)
        await assert_refused(client, 505, "HTTP version not supported", "HTTP/1.1 and HTTP/1.0")
        await assert_serves(edge)

    run_edge(scenario, EchoHandler())


@pytest.mark.parametrize("head_alone", [False, True])
def test_a_length_with_thousands_of_zeros_is_that_length(head_alone: bool) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        head = post("/a", b"").replace(b"Length: 0", b"Length: " + b"0" * 5000 + b"3")
        client.send(head, b"" if head_alone else b"abc")
        if head_alone:
            await edge.received(len(head))
            client.send(b"abc")
        assert (await client.response()).json()["body"] == "abc"

    run_edge(scenario, EchoHandler())


def test_connect_is_refused() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com\r\n\r\n")
        await assert_refused(client, 405, "Method not allowed", "CONNECT")

    run_edge(scenario, EchoHandler())


@pytest.mark.parametrize("sent", [b"", b"POST", post("/a", b"body")[:-1]])
def test_client_that_goes_away_leaves_no_trace(sent: bytes) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(sent)
        await edge.received(len(sent))
        client.reset()
        assert await edge.connections.wait_closed(timeout_s=10) == 0
        await assert_serves(edge)

    run_edge(scenario, EchoHandler())
