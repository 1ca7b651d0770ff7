"""A well-behaved client beside hostile ones: its queries must be right and in time, whatever others do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from tests.support.frontends.load import LOST, Connection, doubles_body
from tests.support.hostile.counts import Counts
from tests.support.hostile.served import CONTROL_APP, CONTROL_SLO_S, Served

_PAUSE_S = 0.02
#: The scheduling of a busy machine, on top of the objective.
_SLACK_S = 5.0


@contextlib.asynccontextmanager
async def controlled(served: Served, counts: Counts) -> AsyncIterator[None]:
    """Ask during the block, over a connection that stays open."""
    stop = asyncio.Event()
    asking = asyncio.create_task(_ask(served.query, counts, stop))
    try:
        yield
    finally:
        stop.set()
        await asking


async def _ask(address: str, counts: Counts, stop: asyncio.Event) -> None:
    connection, number = Connection(address), 0
    while not stop.is_set():
        number += 1
        counts.cases += 1
        try:
            answer = await connection.post(f"/{CONTROL_APP}/predict", doubles_body(number))
        except LOST as lost:
            counts.unanswered(f"the control's query {number}: {lost!r}")
            await connection.close()
            continue
        if answer.is_default or answer.body["output"] != number + 0.5:
            counts.wrong(f"the control's query {number}: {answer.status} {answer.body}")
        elif answer.latency_s > CONTROL_SLO_S + _SLACK_S:
            counts.wrong(f"the control's query {number} took {answer.latency_s:.1f} s")
        await asyncio.sleep(_PAUSE_S)
    await connection.close()


async def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Return when `condition` holds, and let others go on meanwhile."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 (the state of other processes)
            await asyncio.sleep(_PAUSE_S)
