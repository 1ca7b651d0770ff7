"""The heads that clients send again and again, with the requests that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from clipper_frontend.query.http.heads import Head

_MAX_HEAD_BYTES: Final = 2048
#: Larger bodies come in several segments anyway.
_MAX_BODY_BYTES: Final = 64 * 1024
_MAX_KNOWN: Final = 1024


class KnownRequest(msgspec.Struct, frozen=True, gc=False):
    """The parser's result for a head: a request with a body of `body_bytes` that keeps its connection."""

    method: bytes
    path: bytes
    head: Head
    body_bytes: int
    plain: bool


class KnownRequests:
    """Requests by the bytes of their head, for all connections; at most 2 MiB of heads."""

    def __init__(self) -> None:
        self._requests: dict[bytes, KnownRequest] = {}
        self.get: Callable[[bytes], KnownRequest | None] = self._requests.get

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, head: bytes, request: KnownRequest) -> None:
        """Keep an accepted head. Heads that are never the same push the others out, which soon come back."""
        if len(head) <= _MAX_HEAD_BYTES and request.body_bytes <= _MAX_BODY_BYTES:
            if len(self._requests) >= _MAX_KNOWN:
                self._requests.clear()
            self._requests[head] = request
