"""The bytes of HTTP/1.1 responses: their heads, ready-made for the most frequent answers."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from clipper_frontend.codings import MIN_COMPRESSED_BYTES
from clipper_frontend.query.http.exchange import JSON, Answer

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
#: Answers from this length on are never the most frequent ones: their heads are not kept, and it is worth
#: compressing them.
LARGE_BYTES: Final = MIN_COMPRESSED_BYTES

_RESPONSE: Final = (
    b"HTTP/1.1 %d %b\r\nDate: %b\r\nContent-Type: %b\r\nConnection: %b\r\n%bContent-Length: %d\r\n\r\n%b"
)
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}


class Responses:
    """The heads of all connections, with the date, which tick() renews."""

    def __init__(self, now_s: float) -> None:
        self._second = -1
        self._date = b""
        #: The heads of status 200 and JSON on a connection that stays open, by the length of the body. Nearly
        #: every answer is one of these. They are made anew each second, so that a query pays for bytes alone.
        self.usual: dict[int, bytes] = _UsualHeads(self)
        self.tick(now_s)

    def tick(self, now_s: float) -> None:
        """Renew the date if another second has begun; `now_s` is in seconds since 1970."""
        second = int(now_s)
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True).encode()
            self.usual.clear()

    def render(self, answer: Answer, *, last: bool, head_only: bool = False) -> bytes:
        """Return a response. `last` announces that the connection closes; `head_only` answers a HEAD."""
        status, body, content_type, headers = answer
        return _RESPONSE % (
            status,
            _REASONS.get(status, b"Unknown"),
            self._date,
            content_type,
            b"close" if last else b"keep-alive",
            headers,
            len(body),
            b"" if head_only else body,
        )


class _UsualHeads(dict[int, bytes]):
    def __init__(self, responses: Responses) -> None:
        self._responses = responses

    def __missing__(self, length: int) -> bytes:
        head = self._responses.render(Answer(200, bytes(length), JSON), last=False, head_only=True)
        self[length] = head
        return head
