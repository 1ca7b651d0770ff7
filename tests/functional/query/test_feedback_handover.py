"""The handover of feedback to another query frontend: many at a time, and refusals if it cannot answer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from clipper_frontend.query.feedback.handover import Handover, OneFeedback

Responses = list[tuple[int, bytes]]
Peer = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def peer(answer: Peer) -> AsyncIterator[str]:
    """Listen as another frontend's admin port that answers each body with `answer`; yield its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                writer.write(await answer(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


async def hand(handover: Handover, address: str, count: int) -> Responses:
    """Hand over `count` feedbacks at once, and return the responses in order."""
    answers: list[asyncio.Future[tuple[int, bytes]]] = []
    for number in range(count):
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        answers.append(future)

        def answer(status: int, body: bytes, future: asyncio.Future[tuple[int, bytes]] = future) -> None:
            future.set_result((status, body))

        handover.hand(address, OneFeedback("app", number, {"any": ["label"]}), answer)
    return await asyncio.gather(*answers)


async def test_each_feedback_gets_its_own_answer_and_many_travel_together() -> None:
    requests: list[int] = []

    async def echo(body: bytes) -> bytes:
        feedback = json.loads(body)["feedback"]
        requests.append(len(feedback))
        assert all(one[0] == "app" and one[2] == {"any": ["label"]} for one in feedback)
        return http(200, json.dumps({"answers": [[200, {"id": one[1]}] for one in feedback]}).encode())

    handover = Handover()
    async with peer(echo) as address:
        answers = await hand(handover, address, 500)
        await handover.close()
    assert [(status, json.loads(body)) for status, body in answers] == [
        (200, {"id": number}) for number in range(500)
    ]
    assert len(requests) <= 4


@pytest.mark.parametrize(
    "response",
    [
        http(500, b"{}"),
        http(404, b'{"error":"Unknown path"}'),
        http(200, b"not JSON"),
        http(200, b'{"answers":[]}'),
        b"not HTTP\r\n\r\n",
    ],
)
async def test_a_response_that_makes_no_sense_counts_as_none(response: bytes) -> None:
    async def nonsense(body: bytes) -> bytes:
        assert body
        return response

    handover = Handover()
    async with peer(nonsense) as address:
        for status, body in await hand(handover, address, 3):
            assert status == 503
            assert b"Send the feedback again" in body
        await handover.close()


async def test_where_nobody_listens_feedback_is_refused_and_the_next_is_tried_again() -> None:
    async def accept(body: bytes) -> bytes:
        return http(200, json.dumps({"answers": [[200, {}] for _ in json.loads(body)["feedback"]]}).encode())

    handover = Handover()
    async with peer(accept) as address:
        host, _, _ = address.rpartition(":")
        assert [status for status, _ in await hand(handover, f"{host}:1", 2)] == [503, 503]
        assert [status for status, _ in await hand(handover, address, 2)] == [200, 200]
        await handover.close()


async def test_what_waits_when_this_frontend_stops_is_refused() -> None:
    asked = asyncio.Event()

    async def never(body: bytes) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return body

    handover = Handover()
    async with peer(never) as address:
        waiting = asyncio.create_task(hand(handover, address, 3))
        await asked.wait()
        await handover.close()
        assert [status for status, _ in await waiting] == [503] * 3


def test_a_query_frontend_starts_without_the_client_of_the_handover() -> None:
    code = "import sys, clipper_frontend.query.server; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
