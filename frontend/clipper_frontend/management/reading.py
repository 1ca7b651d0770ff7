"""The bodies of admin calls, read from the connection within the limits of time, size and memory."""

from __future__ import annotations

import asyncio

from aiohttp import web

from clipper_frontend.budget import BodyBudget
from clipper_frontend.codings import ACCEPTED, Inflation, UnreadableCoding
from clipper_frontend.management.bodies import BadBodyError

#: The largest body of an admin call; names and default outputs are short.
MAX_BODY_BYTES = 1024 * 1024
RETRY_AFTER_S = 1


class BodyReader:
    """Reads bodies that arrive within `timeout_s`, and that together stay within a budget."""

    def __init__(self, timeout_s: float, budget: BodyBudget) -> None:
        self._timeout_s = timeout_s
        self._budget = budget

    async def read(self, request: web.Request) -> bytes:
        """Return a whole body, decompressed; raises BadBodyError, or an HTTPException with an answer."""
        charge = _Charge(self._budget)
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await _receive(request, charge)
        except TimeoutError:
            text = f"The body did not arrive within {self._timeout_s:g} s"
            raise web.HTTPRequestTimeout(text=text, headers={"Connection": "close"}) from None
        except web.RequestPayloadError as exc:
            raise BadBodyError(f"The body cannot be read: {' '.join(str(exc).split())}") from None
        except OSError:
            raise BadBodyError("The client went before its body was complete") from None
        else:
            return await _decompressed(body, request.headers.get("Content-Encoding", ""), charge)
        finally:
            charge.give_back()


class _Charge:
    """The share of the budget that one body takes."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def take(self, count: int) -> None:
        if not self._budget.take(count):
            text = f"All bodies together take more than {self._budget.max_bytes} bytes: try again"
            headers = {"Retry-After": str(RETRY_AFTER_S), "Connection": "close"}
            raise web.HTTPServiceUnavailable(text=text, headers=headers)
        self._bytes += count

    def give_back(self) -> None:
        self._budget.give(self._bytes)
        self._bytes = 0


async def _receive(request: web.Request, charge: _Charge) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await request.content.readany():
        size += len(part)
        _check_size(size)
        charge.take(len(part))
        parts.append(part)
    return b"".join(parts)


async def _decompressed(body: bytes, coding: str, charge: _Charge) -> bytes:
    name = coding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    inflation = Inflation.of(name.encode(errors="replace"), body)
    if inflation is None:
        text = f"The body's Content-Encoding is {coding!r}: send gzip, deflate, or the JSON as it is"
        raise web.HTTPUnsupportedMediaType(text=text, headers={"Accept-Encoding": ACCEPTED})
    try:
        return await _inflate(inflation, charge)
    except UnreadableCoding as unreadable:
        raise BadBodyError(f"The body cannot be read: {unreadable}") from None


async def _inflate(inflation: Inflation, charge: _Charge) -> bytes:
    while True:
        before = inflation.size
        finished = inflation.step()
        _check_size(inflation.size)
        charge.take(inflation.size - before)
        if finished:
            return inflation.result()
        await asyncio.sleep(0)


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(max_size=MAX_BODY_BYTES, actual_size=size)
