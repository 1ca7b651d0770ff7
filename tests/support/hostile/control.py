"""Well-behaved clients beside what is hostile: their queries are judged one by one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable

from tests.support.frontends.load import LOST, Answer, Connection, doubles_body
from tests.support.hostile.counts import Counts
from tests.support.hostile.served import CONTROL_APP, CONTROL_SLO_S, Served

_PAUSE_S = 0.02
#: The scheduling of a busy machine, on top of the objective.
_SLACK_S = 5.0

#: Returns what is wrong with the answer to the query of a number; empty if nothing is.
Judge = Callable[[int, Answer], str]


class Client:
    """A client that asks one query after the other over a connection, and opens another if that is lost.

    `lost` are the errors of queries that got no answer; those that were only late are counted as unanswered.
    """

    def __init__(self, address: str, app: str, counts: Counts, judge: Judge) -> None:
        self._address = address
        self._app = app
        self._counts = counts
        self._judge = judge
        self.lost: list[str] = []

    async def ask(self, goes_on: Callable[[], bool]) -> None:
        """Ask as long as `goes_on` returns true."""
        connection, numbers = Connection(self._address), itertools.count()
        while goes_on():
            number = next(numbers)
            self._counts.cases += 1
            try:
                answer = await connection.post(f"/{self._app}/predict", doubles_body(number))
            except TimeoutError:
                self._counts.unanswered(f"query {number} to {self._app}")
                await connection.close()
            except LOST as lost:
                self.lost.append(f"query {number} to {self._app}: {lost!r}")
                await connection.close()
            else:
                if problem := self._judge(number, answer):
                    self._counts.wrong(f"query {number} to {self._app}: {problem}")
            await asyncio.sleep(_PAUSE_S)
        await connection.close()


@contextlib.asynccontextmanager
async def controlled(served: Served, counts: Counts) -> AsyncIterator[None]:
    """Ask during the block, over a connection that stays open; each answer must be right and in time."""
    client, going = Client(served.query, CONTROL_APP, counts, _is_right_and_in_time), [True]
    asking = asyncio.create_task(client.ask(lambda: bool(going)))
    try:
        yield
    finally:
        going.clear()
        await asking
        for lost in client.lost:
            counts.unanswered(lost)


def _is_right_and_in_time(number: int, answer: Answer) -> str:
    if answer.latency_s > CONTROL_SLO_S + _SLACK_S:
        return f"it took {answer.latency_s:.1f} s"
    if answer.is_default or answer.body["output"] != number + 0.5:
        return f"{answer.status} {answer.body}"
    return ""


async def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Return when `condition` holds, and let others go on meanwhile."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 (the state of other processes)
            await asyncio.sleep(_PAUSE_S)
