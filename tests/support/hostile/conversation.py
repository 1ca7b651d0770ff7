"""One connection's requests, sent in pieces, and its answers, read to the letter."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import time
import zlib
from collections.abc import Sequence

from tests.support.hostile.counts import Counts
from tests.support.hostile.http_grammar import Owed, Request

#: Long, since a busy machine answers late; the limits of a request are longer.
ANSWER_WITHIN_S = 20.0
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9]) [\x20-\x7e]*")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_UNAVAILABLE = 503
_OTHER_VERSION = 505


class MalformedError(Exception):
    """The bytes of an answer are not an answer."""


class Answers:
    """The answers that come over one connection."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def read(self, *, head_only: bool, interim: bool) -> tuple[int, dict[bytes, bytes], bytes] | None:
        """Return status, headers and body of the next answer, None at the end of the connection."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise MalformedError(f"{error.partial[:80]!r} was cut") from None
            return None
        status, headers = _parse_head(head)
        if status == 100 and interim:
            return await self.read(head_only=head_only, interim=False)
        if head_only or status in (204, 304):
            return status, headers, b""
        if b"content-length" not in headers:
            raise MalformedError(f"no length in {head[:200]!r}")
        try:
            body = await self._reader.readexactly(int(headers[b"content-length"]))
        except asyncio.IncompleteReadError as error:
            raise MalformedError(f"the body ended at {len(error.partial)} bytes") from None
        if headers.get(b"content-encoding") == b"gzip":  # as some requests allow
            try:
                body = gzip.decompress(body)
            except (OSError, EOFError, zlib.error):
                raise MalformedError(f"{body[:100]!r} is no gzip") from None
        return status, headers, body


def _parse_head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    line, *lines = head[:-4].split(b"\r\n")
    found = _STATUS_LINE.fullmatch(line)
    headers = [_HEADER.fullmatch(each) for each in lines]
    if found is None or None in headers:
        raise MalformedError(f"{head[:200]!r} is no head of an answer")
    implied = {b"connection": b"close"} if line.startswith(b"HTTP/1.0") else {}
    return int(found[1]), implied | {each[1].lower(): each[2] for each in headers if each}


def _explain(request: Request, status: int, headers: dict[bytes, bytes], body: bytes) -> str:
    """Return why an answer is not right; empty if it is."""
    if headers.get(b"content-type", b"").startswith(b"application/json") and not request.head_only:
        try:
            json.loads(body)
        except ValueError:
            return f"{status} has {body[:100]!r}, which is no JSON"
    if status >= 500 and not _is_documented(status, headers, body):
        return f"{status} {body[:200]!r}"
    if request.owed is Owed.REFUSAL and not (400 <= status < 500 or status == _OTHER_VERSION):
        return f"{status} instead of a refusal"
    if request.check is not None and not request.check(status, body):
        return f"{status} {body[:200]!r} is not the answer"
    return ""


def _is_documented(status: int, headers: dict[bytes, bytes], body: bytes) -> bool:
    """Return whether a 503 says why, or when to come again; or a 505 which versions are spoken."""
    if status == _OTHER_VERSION:
        return b"HTTP/1.1 and HTTP/1.0" in body
    return status == _UNAVAILABLE and (b"retry-after" in headers or b'"default_reason"' in body)


async def converse(
    address: str,
    requests: Sequence[Request],
    segments: Sequence[bytes],
    counts: Counts,
    case: str,
    *,
    lingers: bool,
) -> None:
    """Send the segments of the requests over a connection of their own, and count what is not right.

    A server that `lingers` reads on after a refusal, so that its client sees the refusal and no reset.
    """
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**22)
    sending = asyncio.create_task(_send(writer, segments))
    begun_s = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            if not await _read_answers(Answers(reader), requests, counts, case):
                return
            await sending
            await _read_rest(Answers(reader), writer, requests[-1], counts, case)
    except TimeoutError:
        counts.unanswered(f"{case}: {requests[-1].data[:300]!r} after {time.monotonic() - begun_s:.1f} s")
    except MalformedError as error:
        counts.wrong(f"{case}: {error}: {requests[-1].data[:300]!r}")
    except ConnectionError as error:
        if requests[-1].owed is Owed.ANSWER or lingers:
            counts.unanswered(f"{case}: {error!r}: {requests[-1].data[:300]!r}")
    finally:
        sending.cancel()
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, segments: Sequence[bytes]) -> None:
    try:
        for segment in segments:
            writer.write(segment)
            await writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        pass  # the server has refused the rest; its answer is read


async def _read_answers(answers: Answers, requests: Sequence[Request], counts: Counts, case: str) -> bool:
    """Read what is owed to the requests; return whether the connection goes on to the last of them."""
    for request in requests:
        if request.owed is Owed.NOTHING:
            continue
        answer = await answers.read(head_only=request.head_only, interim=request.interim)
        if answer is None:
            counts.unanswered(f"{case}: the connection ended before the answer to {request.data[:300]!r}")
            return False
        if request is not requests[-1] and requests[-1].owed is not Owed.ANSWER and _closes(*answer[:2]):
            # A 4xx that closes the connection is the answer to all that was sent with what is wrong.
            return False
        if problem := _explain(request, *answer):
            counts.wrong(f"{case}: {problem}: {request.data[:300]!r}")
    return True


def _closes(status: int, headers: dict[bytes, bytes]) -> bool:
    return 400 <= status < 500 and headers.get(b"connection", b"").lower() == b"close"


async def _read_rest(
    answers: Answers, writer: asyncio.StreamWriter, request: Request, counts: Counts, case: str
) -> None:
    """End the sending, and read to the end: what is not complete may get one answer, all others none."""
    try:
        with contextlib.suppress(OSError):
            writer.write_eof()
        allowed = 1 if request.owed is Owed.NOTHING else 0
        while answer := await answers.read(head_only=request.head_only and allowed > 0, interim=True):
            allowed -= 1
            if allowed < 0:
                counts.wrong(f"{case}: one answer too many, {answer[2][:100]!r}: {request.data[:300]!r}")
            elif problem := _explain(request, *answer):
                counts.wrong(f"{case}: {problem}: {request.data[:300]!r}")
    except ConnectionError:
        pass  # closed with bytes unread, behind the last answer
