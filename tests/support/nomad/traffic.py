"""Steady queries from outside a cluster, through its load balancer, and the outcome of each."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import aiohttp

from tests.support.processes import eventually

#: A query without an answer for so long has failed.
_UNANSWERED_AFTER_S = 10.0
#: The thread ends after so long, if a test never ends it.
_LIMIT_S = 300.0
_RATE_HZ = 50.0
_CONNECTIONS = 10
#: The queries of a connection, before it is replaced.
_QUERIES_EACH = 20
_WAIT_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """The outcome of one query, sent at `sent_s` by time.monotonic(). `shift` identifies the model version.

    `failure` is a status other than 200 or the error, `default_reason` the reason of a default; both are
    empty if a model answered.
    """

    sent_s: float
    latency_s: float
    failure: str = ""
    default_reason: str = ""
    shift: float = 0.0

    @property
    def is_lost(self) -> bool:
        """Return whether no model answered."""
        return bool(self.failure or self.default_reason)


@dataclass(frozen=True)
class Figures:
    """The outcomes of a period's queries. `lost_for_s` is from the first lost one to the last."""

    what: str
    queries: int
    failed: Counter[str]
    defaulted: Counter[str]
    lost_for_s: float
    median_ms: float
    slowest_ms: float
    #: The shifts of the versions that answered, in the order of their first answers.
    shifts: list[float]

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.queries} queries, {_listed(self.failed)} failed, {_listed(self.defaulted)} "
            f"defaulted, within {self.lost_for_s:.1f} s; median {self.median_ms:.0f} ms, slowest "
            f"{self.slowest_ms:.0f} ms"
        )

    @property
    def num_failed(self) -> int:
        """Return how many queries got no answer, or one with another status than 200."""
        return self.failed.total()

    @property
    def num_defaulted(self) -> int:
        """Return how many queries got the default."""
        return self.defaulted.total()

    @property
    def num_lost(self) -> int:
        """Return how many queries no model answered."""
        return self.num_failed + self.num_defaulted


def _listed(counted: Counter[str]) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in counted.items())
    return f"{counted.total()} ({kinds})" if counted else "none"


class Traffic:
    """Queries of an application at a steady rate, from a thread, while the `with` block lasts.

    All differ, so that no cache answers: [n, 0.5], of which the model returns the sum, plus its version's
    shift if it has one.
    """

    def __init__(self, address: str, app: str) -> None:
        self._url = f"http://{address}/{app}/predict"
        self._outcomes: list[Outcome] = []
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), name="traffic")

    def __enter__(self) -> Self:
        self._thread.start()
        self.more(50)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def more(self, count: int) -> None:
        """Return once `count` queries that are sent from now on have ended, answered or not."""
        now_s = time.monotonic()
        eventually(lambda: len(self.since(now_s)) >= count, f"{count} more queries end", _WAIT_S)

    def until_answered(self, count: int) -> None:
        """Return once a model has answered `count` queries in a row that were sent from now on."""
        now_s = time.monotonic()

        def is_steady() -> bool:
            latest = self.since(now_s)[-count:]
            return len(latest) == count and not any(each.is_lost for each in latest)

        eventually(is_steady, f"a model answers {count} queries in a row", _WAIT_S)

    def since(self, start_s: float, end_s: float = float("inf")) -> list[Outcome]:
        """Return the outcomes of the queries that were sent in a period of time.monotonic()."""
        return [each for each in list(self._outcomes) if start_s <= each.sent_s < end_s]

    def figures(self, what: str, start_s: float, end_s: float = float("inf")) -> Figures:
        """Return the figures of a period with at least one query."""
        outcomes = self.since(start_s, end_s)
        lost_s = [each.sent_s for each in outcomes if each.is_lost]
        latencies_s = [each.latency_s for each in outcomes]
        return Figures(
            what,
            len(outcomes),
            Counter(each.failure for each in outcomes if each.failure),
            Counter(each.default_reason for each in outcomes if each.default_reason),
            max(lost_s) - min(lost_s) if lost_s else 0.0,
            statistics.median(latencies_s) * 1000,
            max(latencies_s) * 1000,
            list(dict.fromkeys(each.shift for each in outcomes if not each.is_lost)),
        )

    async def _send(self) -> None:
        timeout = aiohttp.ClientTimeout(total=_UNANSWERED_AFTER_S)
        ends_s = time.monotonic() + _LIMIT_S
        loops = [self._send_one_by_one(number, timeout, ends_s) for number in range(_CONNECTIONS)]
        await asyncio.gather(*loops)

    async def _send_one_by_one(self, number: int, timeout: aiohttp.ClientTimeout, ends_s: float) -> None:
        """Send one connection's part of the rate; late queries do not add up."""
        interval_s = _CONNECTIONS / _RATE_HZ
        due_s = time.monotonic() + number / _RATE_HZ
        while not self._stopping.is_set() and time.monotonic() < ends_s:
            connector = aiohttp.TCPConnector(limit=1)
            async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
                for due_s in _times(due_s, interval_s, _QUERIES_EACH):  # noqa: B020
                    await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                    if self._stopping.is_set():
                        break
                    self._outcomes.append(await self._ask(session, next(self._numbers)))
            due_s = max(due_s + interval_s, time.monotonic())

    async def _ask(self, session: aiohttp.ClientSession, number: int) -> Outcome:
        sent_s = time.monotonic()
        try:
            async with session.post(self._url, json={"input": [number, 0.5]}) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return Outcome(sent_s, time.monotonic() - sent_s, failure=type(error).__name__)
        latency_s = time.monotonic() - sent_s
        if status != 200:
            return Outcome(sent_s, latency_s, failure=f"status {status}")
        answer = json.loads(body)
        if answer["default"]:
            return Outcome(sent_s, latency_s, default_reason=answer["default_reason"])
        return Outcome(sent_s, latency_s, shift=answer["output"] - (number + 0.5))


def _times(first_s: float, interval_s: float, count: int) -> Iterator[float]:
    return (first_s + number * interval_s for number in range(count))
