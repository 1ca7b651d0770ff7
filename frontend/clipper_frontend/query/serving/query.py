"""Queries, and their deadlines: one input each that an application wants answered in time. No I/O, no clock.

A query hears of an output, of a miss or of its deadline, and is then answered by `Answering` (see `serving`).
All deadlines are kept here for one timer, in buckets of one millisecond. An answered query leaves its bucket
at once, so that nothing is held longer than needed, and the timer wakes only for buckets that still hold a
query.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Protocol

from clipper_frontend.query.bodies.answers import DefaultReason
from clipper_frontend.query.prediction.version import ServedVersion
from clipper_frontend.query.serving.application import Application

_TICKS_PER_S = 1000


class Answering(Protocol):
    """The party that answers queries."""

    def answer(self, query: Query, output: bytes, now: float) -> None: ...

    def abandon(self, query: Query, targets: Iterable[ServedVersion | None]) -> None: ...

    def answer_default(
        self, query: Query, reason: DefaultReason, detail: str | None, now: float, members: bytes = b""
    ) -> None: ...


class Work(Protocol):
    """The work for an answer."""

    def abandon(self) -> None:
        """Stop it: nobody waits for the answer any more."""


class Reply(Protocol):
    """The place for the answer to one input of a request; `work` is set to what it waits for."""

    work: Work | None

    def respond(self, status: int, body: bytes) -> None:
        """Take the answer, once."""


class Query:
    """One input that an application wants answered by `deadline`, in seconds of the monotonic clock.

    `target` is the model version that is asked, or None if the application has none. A deadline below 0 means
    that the query was answered.
    """

    __slots__ = ("answering", "application", "arrived_at", "deadline", "query_id", "reply", "target", "tick")

    #: JSON members about the models in an answer without a prediction.
    default_members = b""

    def __init__(
        self,
        answering: Answering,
        application: Application,
        target: ServedVersion | None,
        query_id: int,
        arrived_at: float,
        deadline: float,
        reply: Reply,
    ) -> None:
        self.answering = answering
        self.application = application
        self.target = target
        self.query_id = query_id
        self.arrived_at = arrived_at
        self.deadline = deadline
        self.reply = reply
        #: Its bucket in `Deadlines`; 0 while it is in none.
        self.tick = 0

    def take(self, output: bytes, now: float) -> None:
        """Be answered with its model's output."""
        self.answering.answer(self, output, now)

    def miss(self, reason: DefaultReason, detail: str | None, now: float) -> None:
        """Be answered without a prediction."""
        self.answering.answer_default(self, reason, detail, now)

    def expire(self, now: float) -> None:
        """Be answered at its deadline."""
        no_replica = self.target is not None and not self.target.replicas
        reason = DefaultReason.NO_REPLICA if no_replica else DefaultReason.TIMEOUT
        self.answering.answer_default(self, reason, None, now)

    def waits(self) -> bool:
        """Return whether an output is still wanted."""
        return self.deadline >= 0

    def abandon(self) -> None:
        """Give up: the client has gone."""
        if self.deadline >= 0:
            self.answering.abandon(self, (self.target,))

    def remember_default(self) -> None:
        """Remember for feedback that no model answered; queries without a policy remember nothing."""


class Deadlines:
    """Queries by the millisecond in which they are due."""

    __slots__ = ("_buckets", "_ticks")

    def __init__(self) -> None:
        self._buckets: dict[int, set[Query]] = {}
        self._ticks: list[int] = []

    def add(self, query: Query) -> bool:
        """Keep a query until its deadline; return whether it is now the first that is due."""
        tick = int(query.deadline * _TICKS_PER_S) + 1
        query.tick = tick
        bucket = self._buckets.get(tick)
        if bucket is not None:
            bucket.add(query)
            return False
        self._buckets[tick] = {query}
        heapq.heappush(self._ticks, tick)
        return self._ticks[0] == tick

    def remove(self, query: Query) -> None:
        """Forget a query; ignore one that is not kept."""
        bucket = self._buckets.get(query.tick)
        if bucket is not None:
            bucket.discard(query)

    def pop_due(self, now: float) -> list[Query]:
        """Remove and return the queries whose deadline has passed at `now`, in seconds."""
        due: list[Query] = []
        # A time that next_due() returned must be due at exactly that time, whatever the division rounded
        # away.
        limit = now * _TICKS_PER_S + 1e-3
        while self._ticks and self._ticks[0] <= limit:
            due += self._buckets.pop(heapq.heappop(self._ticks))
        return due

    def next_due(self) -> float | None:
        """Return when the next query is due, in seconds, or None if none is kept."""
        ticks, buckets = self._ticks, self._buckets
        while ticks and not buckets[ticks[0]]:
            del buckets[heapq.heappop(ticks)]
        return ticks[0] / _TICKS_PER_S if ticks else None
