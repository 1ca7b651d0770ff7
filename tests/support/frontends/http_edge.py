"""The HTTP edge on a real socket and uvloop, handlers that tests control, and a raw client."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import uvloop

from clipper_frontend.budget import BodyBudget
from clipper_frontend.query.http.connections import Connections
from clipper_frontend.query.http.exchange import Exchange, Handler
from clipper_frontend.query.http.limits import HttpLimits
from clipper_frontend.query.http.protocol import HttpProtocol


class EchoHandler:
    """Answers at once with the request that it got."""

    def __init__(self) -> None:
        self.handled = 0

    def handle(self, exchange: Exchange) -> None:
        self.handled += 1
        parts = {"method": exchange.method, "path": exchange.path, "body": exchange.body}
        echo = {name: part.decode(errors="replace") for name, part in parts.items()}
        exchange.respond(200, json.dumps(echo).encode())


class HoldingHandler:
    """Keeps requests until the test answers them."""

    def __init__(self) -> None:
        self.handled = 0
        self._exchanges: asyncio.Queue[Exchange] = asyncio.Queue()

    def handle(self, exchange: Exchange) -> None:
        self.handled += 1
        self._exchanges.put_nowait(exchange)

    async def next(self) -> Exchange:
        return await asyncio.wait_for(self._exchanges.get(), 10)

    async def take(self, count: int) -> list[Exchange]:
        return [await self.next() for _ in range(count)]


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        return self.headers["connection"] == "close"


class Client:
    """One connection; sends bytes as given and reads responses one by one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def send_apart(self, data: bytes) -> None:
        """Send each byte in a segment of its own."""
        for i in range(len(data)):
            self.writer.write(data[i : i + 1])
            await asyncio.sleep(0)

    async def response(self, *, head_only: bool = False) -> Response:
        return await asyncio.wait_for(self._response(head_only), 10)

    async def interim(self) -> bytes:
        return await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 10)

    async def closed(self) -> None:
        """Wait until the server has closed, having sent nothing more."""
        assert await asyncio.wait_for(self._reader.read(), 10) == b""

    async def request(self, *parts: bytes) -> Response:
        self.send(*parts)
        return await self.response()

    def reset(self) -> None:
        """Disconnect with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def _response(self, head_only: bool) -> Response:
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
        if lines[0].startswith("HTTP/1.1 100 "):
            return await self._response(head_only)
        length = 0 if head_only else int(headers["content-length"])
        return Response(int(lines[0].split()[1]), headers, await self._reader.readexactly(length))


class _ObservedProtocol(HttpProtocol):
    """Reports to the edge how much the server has received."""

    def __init__(self, edge: Edge, handler: Handler, limits: HttpLimits) -> None:
        super().__init__(handler, limits, edge.connections)
        self._edge = edge

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._edge.on_received(len(data))


class Edge:
    """A listening HTTP edge. On exit it closes all clients, and then no connection may be left."""

    def __init__(self, handler: Handler, limits: HttpLimits) -> None:
        self._handler = handler
        self._limits = limits
        self.connections = Connections(limits.sweep_interval_s, BodyBudget(limits.body_memory_bytes))
        self.received_bytes = 0
        self._received_event = asyncio.Event()
        self.errors: list[dict[str, Any]] = []
        self._clients: list[Client] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self._server = await loop.create_server(self._protocol, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.writer.close()
        self._server.close()
        aborted = await self.connections.wait_closed(timeout_s=0 if kind else 10)
        if kind is None:
            assert not self.errors
            assert aborted == 0

    async def connect(self, *, receive_buffer_bytes: int | None = None) -> Client:
        sock = socket.socket()
        if receive_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        client = Client(*await asyncio.open_connection(sock=sock, limit=2**20))
        self._clients.append(client)
        return client

    def on_received(self, count: int) -> None:
        self.received_bytes += count
        self._received_event.set()

    async def received(self, count: int) -> None:
        """Wait until the server has taken this many bytes, of all connections together."""
        while self.received_bytes < count:
            self._received_event.clear()
            await asyncio.wait_for(self._received_event.wait(), 10)

    def _protocol(self) -> HttpProtocol:
        return _ObservedProtocol(self, self._handler, self._limits)


def run_edge(
    scenario: Callable[[Edge], Awaitable[None]], handler: Handler, limits: HttpLimits | None = None
) -> None:
    """Run a scenario against an edge of its own, on uvloop."""

    async def run() -> None:
        async with Edge(handler, limits or HttpLimits()) as edge:
            await asyncio.wait_for(scenario(edge), 30)

    uvloop.run(run())


def post(path: str = "/app/predict", body: bytes = b"", *headers: str, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: test", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def get(path: str = "/", *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: test", *headers, "", ""]).encode()


def chunked(*chunks: bytes, path: str = "/app/predict", trailers: bytes = b"") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n" + trailers + b"\r\n"
