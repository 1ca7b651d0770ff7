"""The HTTP client of the handover, in a module of its own: it is imported when feedback is handed over first.

Its import takes a third of a query frontend's start, and most query frontends never need it.
"""

from __future__ import annotations

import aiohttp

#: Longer than the other frontend waits for Redis.
_TIMEOUT_S = 5.0


class Poster:
    """A client that keeps its connections. End it with close()."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S))

    async def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the body of the answer. Raises OSError if there is none in time."""
        try:
            async with self._session.post(url, data=body) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, ValueError) as exc:
            raise OSError(str(exc) or type(exc).__name__) from exc

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
