"""Requests and answers at the HTTP edge: the accepted forms, and the answers on the connection."""

from __future__ import annotations

import asyncio
import logging
import time
from email.utils import parsedate_to_datetime

import pytest

from clipper_frontend.query.http.exchange import Exchange
from clipper_frontend.query.http.responses import Responses
from tests.support.frontends.http_edge import EchoHandler, Edge, HoldingHandler, chunked, get, post, run_edge


def test_requests_follow_each_other_on_one_connection() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        for body in (b"one", b"", b"three"):
            response = await client.request(post("/a/predict", body))
            assert response.status == 200
            assert response.headers["content-type"] == "application/json"
            assert not response.closes
            assert response.json() == {"method": "POST", "path": "/a/predict", "body": body.decode()}
        assert edge.connections.accepted_total == 1

    run_edge(scenario, EchoHandler())


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/predict?x=1&y=/b?c", "/a/predict"),
        ("http://example.com:80/a/predict?x", "/a/predict"),
        ("http://example.com", "/"),
        ("/a%20b/predict", "/a%20b/predict"),
        ("*", "*"),
    ],
)
def test_path_is_the_target_without_query_and_host(target: str, path: str) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        response = await client.request(get(target, method="OPTIONS"))
        assert response.json() == {"method": "OPTIONS", "path": path, "body": ""}

    run_edge(scenario, EchoHandler())


def test_every_answer_has_the_date() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        before = int(time.time())
        for request in (get("/"), get("/"), get("/", version="1.2")):
            date = parsedate_to_datetime((await client.request(request)).headers["date"])
            assert before - 1 <= date.timestamp() <= time.time()

    run_edge(scenario, EchoHandler())


def test_the_date_goes_on() -> None:
    responses = Responses(now_s=0)
    first = responses.usual[3]
    assert responses.usual[3] is first
    responses.tick(0.9)
    assert responses.usual[3] is first
    responses.tick(1e9)
    assert responses.usual[3] == (
        b"HTTP/1.1 200 OK\r\nDate: Sun, 09 Sep 2001 01:46:40 GMT\r\nContent-Type: application/json\r\n"
        b"Connection: keep-alive\r\nContent-Length: 3\r\n\r\n"
    )


def test_a_head_that_was_sent_before_is_read_as_the_first_time() -> None:
    async def scenario(edge: Edge) -> None:
        for cut in (0, 7, 60):
            client = await edge.connect()
            for body in (b"one", b"two", b"one"):
                request = post("/a/predict?x", body, "Origin: https://a.example")
                seen = edge.received_bytes
                if cut:
                    client.send(request[:cut])
                    await edge.received(seen + cut)
                echo = (await client.request(request[cut:])).json()
                assert echo == {"method": "POST", "path": "/a/predict", "body": body.decode()}
            client.send(post("/a/predict?x", b"one", "Origin: https://a.example"), get("/next"))
            assert [(await client.response()).json()["path"] for _ in range(2)] == ["/a/predict", "/next"]
        assert len(edge.connections.known) == 2

    run_edge(scenario, EchoHandler())


def test_heads_that_are_never_the_same_take_bounded_memory() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        for number in range(3000):
            client.send(get("/", f"X-Request-Id: {number}"))
            assert (await client.response()).status == 200
        assert len(edge.connections.known) <= 1024

    run_edge(scenario, EchoHandler())


def test_chunked_requests_follow_each_other_wherever_they_are_cut() -> None:
    sent = (
        chunked(b"one\r\n\r\ntwo", path="/1")
        + chunked(b"\r\n\r\n", trailers=b"T: x\r\n", path="/2")
        + get("/3")
    )

    async def scenario(edge: Edge) -> None:
        for cut in range(len(sent)):
            client = await edge.connect()
            seen = edge.received_bytes
            client.send(sent[:cut])
            await edge.received(seen + cut)
            client.send(sent[cut:])
            bodies = [(await client.response()).json()["body"] for _ in range(3)]
            assert bodies == ["one\r\n\r\ntwo", "\r\n\r\n", ""]

    run_edge(scenario, EchoHandler())


def test_connection_close_is_honoured() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        response = await client.request(post("/a", b"x", "Connection: close"))
        assert response.status == 200
        assert response.closes
        await client.closed()

    run_edge(scenario, EchoHandler())


def test_http_1_0_closes_unless_asked_to_stay() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        for _ in range(2):
            response = await client.request(post("/a", b"x", "Connection: keep-alive", version="1.0"))
            assert response.headers["connection"] == "keep-alive"
        response = await client.request(post("/a", b"x", version="1.0"))
        assert response.closes
        await client.closed()

    run_edge(scenario, EchoHandler())


def test_head_is_answered_without_a_body() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/a", method="HEAD"), get("/b"))
        response = await client.response(head_only=True)
        assert int(response.headers["content-length"]) > 0
        assert (await client.response()).json()["path"] == "/b"

    run_edge(scenario, EchoHandler())


def test_other_status_and_content_type() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/metrics"))
        (await handler.next()).respond(503, b"not ready", b"text/plain")
        response = await client.response()
        assert (response.status, response.headers["content-type"]) == (503, "text/plain")
        assert (response.body, response.closes) == (b"not ready", False)

    handler = HoldingHandler()
    run_edge(scenario, handler)


@pytest.mark.parametrize("length", [0, 1, 1022, 1023, 1024, 1025, 3_000_000])
def test_answers_of_any_length(length: int) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/a"))
        (await handler.next()).respond(200, b"x" * length)
        assert (await client.response()).body == b"x" * length

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_chunked_bodies() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        assert (await client.request(chunked(b"one", b", ", b"two"))).json()["body"] == "one, two"
        assert (await client.request(chunked())).json()["body"] == ""
        assert (await client.request(chunked(b"x", trailers=b"Sum: 1\r\n"))).json()["body"] == "x"
        assert (await client.request(post("/a", b"plain"))).json()["body"] == "plain"

    run_edge(scenario, EchoHandler())


@pytest.mark.parametrize("request_bytes", [chunked(b"one", b"two"), post("/app/predict", b"onetwo")])
def test_request_in_segments_of_one_byte(request_bytes: bytes) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        for _ in range(2):
            await client.send_apart(request_bytes)
            echo = (await client.response()).json()
            assert echo == {"method": "POST", "path": "/app/predict", "body": "onetwo"}

    run_edge(scenario, EchoHandler())


def test_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 20_000

    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(post("/a", body), post("/b", b"next"))
        first, second = await handler.take(2)
        assert type(first.body) is bytes
        assert first.body == body
        assert second.body == b"next"
        for exchange in (first, second):
            exchange.respond(200, b"")

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_continue_is_sent_for_a_body_that_will_be_taken() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        for _ in range(2):
            head, body = post("/a", b"body", "expect: 100-Continue")[:-4], b"body"
            client.send(head)
            assert await client.interim() == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert (await client.request(body)).json()["body"] == "body"
        assert (await client.request(post("/b", b"x"))).json()["path"] == "/b"

    run_edge(scenario, EchoHandler())


def test_continue_is_not_sent_with_a_body_that_is_there() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        response = await client.request(post("/a", b"body", "Expect: 100-continue"))
        assert response.status == 200

    run_edge(scenario, EchoHandler())


def test_continue_waits_for_the_answers_before_it() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/first"))
        first = await handler.next()
        head = post("/second", b"body", "Expect: 100-continue")[:-4]
        client.send(head)
        await edge.received(len(get("/first")) + len(head))
        first.respond(200, b"1")
        assert (await client.response()).body == b"1"
        assert await client.interim() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        (await handler.next()).respond(200, b"2")
        assert (await client.response()).body == b"2"

    handler = HoldingHandler()
    run_edge(scenario, handler)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("body", [b"", b"some body"])
def test_upgrade_is_ignored(body: bytes, apart: bool) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")

    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        for number in range(2):
            request_bytes = post(f"/{number}", body, *upgrade)
            await client.send_apart(request_bytes) if apart else client.send(request_bytes)
            response = await client.response()
            assert response.json() == {"method": "POST", "path": f"/{number}", "body": body.decode()}
        assert (await client.request(get("/after"))).json()["path"] == "/after"

    run_edge(scenario, EchoHandler())


def test_upgrade_of_a_chunked_request_that_expects_continue() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        whole = chunked(b"chunk").replace(
            b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n\r\n", 1
        )
        head, end, body = whole.partition(b"\r\n\r\n")
        client.send(head, end)
        assert await client.interim() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.request(body)).json()["body"] == "chunk"

    run_edge(scenario, EchoHandler())


def test_client_that_has_sent_all_is_answered() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(post("/a", b"x"), post("/b", b"y"))
        client.writer.write_eof()
        first, second = await handler.take(2)
        second.respond(200, b"2")
        first.respond(200, b"1")
        assert (await client.response()).body == b"1"
        last = await client.response()
        assert (last.body, last.closes) == (b"2", True)
        await client.closed()

    handler = HoldingHandler()
    run_edge(scenario, handler)


class _Work:
    """The work for an answer, which may be given up."""

    def __init__(self) -> None:
        self.abandoned = asyncio.Event()

    def abandon(self) -> None:
        self.abandoned.set()


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_the_work_for_a_client_that_has_gone_is_given_up(leave: str) -> None:
    async def scenario(edge: Edge) -> None:
        client, staying = await edge.connect(), await edge.connect()
        works = []
        for each in (client, staying):
            each.send(get("/"))
            exchange = await handler.next()
            exchange.work = _Work()
            works.append(exchange.work)
        client.reset() if leave == "reset" else client.writer.close()
        await asyncio.wait_for(works[0].abandoned.wait(), 10)
        assert not works[1].abandoned.is_set()
        exchange.respond(200, b"stayed")
        assert (await staying.response()).body == b"stayed"

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_a_client_that_has_sent_all_and_reads_on_is_answered_however_late() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(post("/a", b"x"), post("/b", b"y"))
        client.writer.write_eof()
        first, second = await handler.take(2)
        first.work = work = _Work()
        # It was asked whether it still reads, and has stayed.
        assert await client.interim() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await asyncio.sleep(0)
        assert not work.abandoned.is_set()
        second.respond(200, b"2")
        first.respond(200, b"1")
        assert [(await client.response()).body for _ in range(2)] == [b"1", b"2"]
        await client.closed()

    handler = HoldingHandler()
    run_edge(scenario, handler)


class _FailingHandler:
    """Fails at /before, fails after its answer at /after, and answers the rest."""

    def handle(self, exchange: Exchange) -> None:
        if exchange.path != b"/before":
            exchange.respond(200, b"answer")
        if exchange.path != b"/good":
            raise ZeroDivisionError("a secret of the handler")


def test_handler_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        response = await client.request(get("/before"))
        assert response.status == 500
        assert response.json() == {
            "error": "Internal error",
            "cause": "ZeroDivisionError while answering GET /before",
        }
        assert (await client.request(get("/good"))).body == b"answer"
        assert (await client.request(get("/after"))).body == b"answer"
        assert (await client.request(get("/good"))).body == b"answer"

    with caplog.at_level(logging.ERROR):
        run_edge(scenario, _FailingHandler())
    assert [record.getMessage() for record in caplog.records] == [
        "request failed: GET /before",
        "request failed: GET /after",
    ]
    assert all(record.exc_info for record in caplog.records)


def test_only_the_first_answer_counts() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/a"))
        exchange = await handler.next()
        exchange.respond(200, b"first")
        exchange.respond(500, b"second")
        assert (await client.response()).body == b"first"
        client.send(get("/b"))
        (await handler.next()).respond(200, b"third")
        assert (await client.response()).body == b"third"

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_client_that_has_gone_gets_nothing() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(get("/a"), get("/b"))
        first, second = await handler.take(2)
        second.respond(200, b"kept until the first is answered")
        client.reset()
        assert await edge.connections.wait_closed(timeout_s=10) == 0
        first.respond(200, b"too late")

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_client_that_goes_in_the_middle_of_a_request() -> None:
    async def scenario(edge: Edge) -> None:
        for part in (b"POS", post("/a", b"body")[:30], post("/a", b"body")[:-1], chunked(b"x")[:-2]):
            client = await edge.connect()
            await client.request(get("/before"))
            client.send(part)
            client.writer.write_eof()
            await client.closed()
        assert (await (await edge.connect()).request(get("/next"))).status == 200

    handler = EchoHandler()
    run_edge(scenario, handler)
    assert handler.handled == 5
