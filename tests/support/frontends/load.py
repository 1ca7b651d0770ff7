"""A steady load of queries over raw keep-alive connections, counted answer by answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

UNANSWERED_AFTER_S = 10.0

#: The errors that end a query without an answer.
LOST = (OSError, asyncio.IncompleteReadError, TimeoutError)


@dataclass(frozen=True)
class Answer:
    """One answered query. `body` is its JSON value; times are from time.perf_counter()."""

    sent_s: float
    latency_s: float
    status: int
    body: Any

    @property
    def is_default(self) -> bool:
        """Return whether the answer did not come from a model."""
        return self.status != 200 or bool(self.body["default"])


class Connection:
    """One keep-alive connection with one query in flight at a time."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes) -> Answer:
        """Send one request and return its answer; raise one of LOST if there is none."""
        async with asyncio.timeout(UNANSWERED_AFTER_S):
            sent_s = time.perf_counter()
            status, answer = await self._exchange(path, body)
            return Answer(sent_s, time.perf_counter() - sent_s, status, json.loads(answer))

    async def close(self) -> None:
        """Drop the connection; the next post opens a new one."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.transport.abort()

    async def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, int(self._port))
        self._writer.write(
            b"POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s"
            % (path.encode(), len(body), body)
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        status_line, *fields = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)
        }
        body = await self._reader.readexactly(int(headers["content-length"]))
        if headers.get("connection", "").lower() == "close":
            await self.close()
        return int(status_line.split()[1]), body


def doubles_body(number: int) -> bytes:
    """Return a query whose sum is `number` + 0.5; distinct numbers are distinct queries."""
    return b'{"input": [%d, 0.5]}' % number


class SteadyLoad:
    """Queries of one application from `connections` closed loops, during the `async with` block.

    Each loop sends, awaits the answer, pauses `pause_s` and repeats; the n-th query's body is `make_body(n)`.
    A query without an answer adds its error to `lost`, and its loop opens a new connection.
    """

    def __init__(
        self,
        address: str,
        app: str = "app",
        *,
        connections: int = 8,
        pause_s: float = 0.002,
        make_body: Callable[[int], bytes] = doubles_body,
    ) -> None:
        self.answers: list[Answer] = []
        self.lost: list[BaseException] = []
        self._address = address
        self._path = f"/{app}/predict"
        self.connections = connections
        self._pause_s = pause_s
        self._make_body = make_body
        self._numbers = itertools.count()
        self._changed = asyncio.Condition()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._loop()) for _ in range(self.connections)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    @property
    def defaults(self) -> list[Answer]:
        """Return the answers that did not come from a model."""
        return [answer for answer in self.answers if answer.is_default]

    def since(self, time_s: float) -> list[Answer]:
        """Return the answers to queries that were sent after `time_s`, a time of time.perf_counter()."""
        return [answer for answer in self.answers if answer.sent_s > time_s]

    async def more(self, count: int, timeout_s: float = 30) -> None:
        """Return once `count` more queries have been answered."""
        wanted = len(self.answers) + count
        await self._wait_for(lambda: len(self.answers) >= wanted, timeout_s)

    async def until(self, condition: Callable[[Answer], bool], timeout_s: float = 30) -> Answer:
        """Return the first answer from now on that meets `condition`."""
        checked = len(self.answers)
        async with asyncio.timeout(timeout_s):
            while True:
                for answer in self.answers[checked:]:
                    checked += 1
                    if condition(answer):
                        return answer
                await self.more(1)

    async def _wait_for(self, condition: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(condition)

    async def _loop(self) -> None:
        connection = Connection(self._address)
        while not self._stopping:
            try:
                answer = await connection.post(self._path, self._make_body(next(self._numbers)))
            except LOST as lost:
                self.lost.append(lost)
                await connection.close()
            else:
                async with self._changed:
                    self.answers.append(answer)
                    self._changed.notify_all()
            await asyncio.sleep(self._pause_s)
        await connection.close()
