"""The limit of Python here: a server that decodes a query, sums it and answers inline, and does nothing else.

asyncio on uvloop, httptools and msgspec, as in the query frontend; no routing, queue, deadline, cache, model.
Run as a script, it logs where it listens.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import cast

import httptools
import msgspec
import uvloop


class Query(msgspec.Struct):
    """The body of a query."""

    input: list[float]


_decode = msgspec.json.Decoder(Query).decode
_query_ids = itertools.count()


class BareProtocol(asyncio.Protocol):
    """One connection."""

    __slots__ = ("_body", "_feed", "_transport")

    def __init__(self) -> None:
        self._body = b""
        self._feed = httptools.HttpRequestParser(self).feed_data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for answers."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse the data."""
        self._feed(data)

    def on_body(self, body: bytes) -> None:
        """Collect a query's body."""
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """Answer a query."""
        output = sum(_decode(self._body).input)
        self._body = b""
        answer = b'{"query_id":%d,"output":%a,"default":false}' % (next(_query_ids), output)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (len(answer), answer)
        )


async def serve() -> None:
    """Listen on a free port until the process is ended."""
    server = await asyncio.get_running_loop().create_server(BareProtocol, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"listening: rest={host}:{port}", file=sys.stderr)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
