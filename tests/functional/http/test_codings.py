"""Content codings at the HTTP edge: bodies decompressed within the limits, and large answers compressed."""

from __future__ import annotations

import gzip
import json
import random
import zlib

import pytest

from clipper_frontend.query.http.limits import HttpLimits
from tests.support.frontends.http_edge import EchoHandler, Edge, HoldingHandler, get, post, run_edge

BODY = b'{"input": [%s]}' % b",".join(b"%d" % i for i in range(1000))
MIB = 1024 * 1024
RAW = zlib.compressobj(wbits=-15)
LARGE = json.dumps([random.Random(1).random() for _ in range(2000)]).encode()
LIMIT = HttpLimits(max_body_bytes=MIB)


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("x-gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP", gzip.compress(BODY[:10], mtime=0) + gzip.compress(BODY[10:], mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", RAW.compress(BODY) + RAW.flush()),
        ("identity", BODY),
    ],
)
def test_a_compressed_body_is_read(coding: str, sent: bytes) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        request = post("/a", sent, f"Content-Encoding: {coding}")
        for _ in range(2):
            assert (await client.request(request)).json()["body"] == BODY.decode()
        client.send(request[:60])
        await edge.received(2 * len(request) + 60)
        client.send(request[60:], post("/b", b"plain"))
        assert (await client.response()).json()["body"] == BODY.decode()
        assert (await client.response()).json()["body"] == "plain"
        assert edge.connections.bodies.used_bytes == 0

    run_edge(scenario, EchoHandler())


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress", "x"])
def test_other_codings_are_refused_with_those_that_are_read(coding: str) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        response = await client.request(post("/a", b"?", f"Content-Encoding: {coding}"))
        assert (response.status, response.closes) == (415, False)
        assert response.headers["accept-encoding"] == "gzip, deflate"
        assert coding in response.json()["cause"]
        assert (await client.request(post("/a", b"next"))).status == 200

    run_edge(scenario, EchoHandler())


@pytest.mark.parametrize(
    ("coding", "sent", "cause"),
    [
        ("gzip", BODY, "the body is not gzip"),
        ("deflate", b"\xff" * 20, "the body is not deflate"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], "the gzip body is cut off"),
        ("gzip", gzip.compress(BODY, mtime=0)[:5], "the gzip body is cut off"),
        ("gzip", gzip.compress(BODY, mtime=0) + b"more", "the body is not gzip"),
        ("deflate", zlib.compress(BODY) + b"more", "something follows the end of the deflate body"),
        ("gzip", gzip.compress(b"", mtime=0) * 100, "something follows the end of the gzip body"),
    ],
)
def test_a_body_that_is_not_of_its_coding_is_refused(coding: str, sent: bytes, cause: str) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        response = await client.request(post("/a", sent, f"Content-Encoding: {coding}"))
        assert (response.status, response.closes) == (400, False)
        assert cause in response.json()["cause"]
        assert edge.connections.bodies.used_bytes == 0

    run_edge(scenario, EchoHandler())


def test_the_limit_of_bodies_counts_what_is_decompressed() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        for sent in (gzip.compress(b"x" * (200 * MIB)), gzip.compress(gzip.compress(b"x")) * 5):
            response = await client.request(post("/a", sent, "Content-Encoding: gzip"))
            assert response.status == (413 if len(sent) > 1000 else 200)
        fits = gzip.compress(b"x" * MIB)
        assert (await client.request(post("/a", fits, "Content-Encoding: gzip"))).status == 200
        assert edge.connections.bodies.used_bytes == 0

    run_edge(scenario, EchoHandler(), LIMIT)


def test_others_are_answered_while_a_large_body_is_decompressed() -> None:
    async def scenario(edge: Edge) -> None:
        bomb, other = await edge.connect(), await edge.connect()
        bomb.send(post("/bomb", gzip.compress(b"x" * (60 * MIB)), "Content-Encoding: gzip"))
        await edge.received(1)
        other.send(get("/other"))
        exchange = await handler.next()
        assert exchange.path == b"/other"
        exchange.respond(200, b"")
        (await handler.next()).respond(200, b"")
        assert (await bomb.response()).status == 200

    handler = HoldingHandler()
    run_edge(scenario, handler)


@pytest.mark.parametrize("body", [LARGE, LARGE * 10], ids=["large", "very-large"])
@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "*"])
def test_a_large_answer_is_compressed_for_a_client_that_takes_it(body: bytes, accepted: str) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        for _ in range(2):
            client.send(post("/a", b"x", f"Accept-Encoding: {accepted}"), post("/b", b"x"))
            (await handler.next()).respond(200, body)
            (await handler.next()).respond(200, b"second")
            response = await client.response()
            assert response.headers["content-encoding"] == "gzip"
            assert response.headers["vary"] == "Accept-Encoding"
            assert len(response.body) < len(body)
            assert gzip.decompress(response.body) == body
            assert (await client.response()).body == b"second"

    handler = HoldingHandler()
    run_edge(scenario, handler)


@pytest.mark.parametrize(
    ("accepted", "body"), [("gzip", b"x" * 1000), ("gzip;q=0", LARGE), ("br", LARGE), ("*, gzip;q=0", LARGE)]
)
def test_other_answers_are_sent_as_they_are(accepted: str, body: bytes) -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(post("/a", b"x", f"Accept-Encoding: {accepted}"))
        (await handler.next()).respond(200, body)
        response = await client.response()
        assert "content-encoding" not in response.headers
        assert response.body == body

    handler = HoldingHandler()
    run_edge(scenario, handler)


def test_a_client_that_goes_while_its_answer_is_compressed_leaves_no_trace() -> None:
    async def scenario(edge: Edge) -> None:
        client = await edge.connect()
        client.send(post("/a", b"x", "Accept-Encoding: gzip"))
        exchange = await handler.next()
        exchange.respond(200, LARGE * 100)
        client.reset()
        assert await edge.connections.wait_closed(timeout_s=10) == 0

    handler = HoldingHandler()
    run_edge(scenario, handler)
