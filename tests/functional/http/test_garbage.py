"""Garbage on a connection: any bytes get an answer or a close, and the next client is served."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_frontend.query.http.limits import HttpLimits
from tests.support.frontends.http_edge import EchoHandler, Edge, chunked, get, post, run_edge

LIMITS = HttpLimits(header_timeout_s=0.02, body_timeout_s=0.02, idle_timeout_s=0.02, linger_timeout_s=0.02)
GOOD = [
    post("/a", b"body"),
    post("/b", b"x" * 2000, "Expect: 100-continue"),
    get("/c", "Connection: close"),
    get("/d", "Connection: Upgrade", "Upgrade: websocket"),
    chunked(b"one", b"two", trailers=b"T: x\r\n"),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return good requests with some bytes cut out, put in or changed."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(GOOD), min_size=1, max_size=4))))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 20))] = draw(st.binary(max_size=20))
    return bytes(data)


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@settings(max_examples=60, deadline=None)
@given(garbage=st.one_of(st.binary(max_size=300), damaged()), cuts=st.lists(st.integers(0, 3000), max_size=3))
def test_any_bytes(garbage: bytes, cuts: list[int]) -> None:
    async def scenario(edge: Edge) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(garbage)], strict=True):
            if not writer.is_closing():
                writer.write(garbage[start:end])
            await asyncio.sleep(0)
        answer = await asyncio.wait_for(_read_all(reader), 10)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
        writer.close()
        good = await (await edge.connect()).request(post("/good", b"query"))
        assert good.json() == {"method": "POST", "path": "/good", "body": "query"}

    run_edge(scenario, EchoHandler(), LIMITS)
