"""All deadlines of all queries, for one timer. No I/O, no clock.

Queries are kept in buckets of one millisecond. An answered query leaves its bucket at once, so that nothing
is held longer than it is needed; the timer wakes only for buckets that still hold something.
"""

from __future__ import annotations

import heapq

from clipper_frontend.query.serving.query import Query

_TICKS_PER_S = 1000


class Deadlines:
    """Queries by the millisecond in which they are due."""

    __slots__ = ("_buckets", "_ticks")

    def __init__(self) -> None:
        self._buckets: dict[int, set[Query]] = {}
        self._ticks: list[int] = []

    def add(self, query: Query) -> bool:
        """Keep a query until its deadline; return True when it is now the first that is due."""
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
        """Forget a query; one that is not kept is passed over."""
        bucket = self._buckets.get(query.tick)
        if bucket is not None:
            bucket.discard(query)

    def pop_due(self, now: float) -> list[Query]:
        """Remove and return the queries whose deadline has passed at `now`, in seconds."""
        due: list[Query] = []
        # What next_due() told must be due at that very time, whatever the division rounded away.
        limit = now * _TICKS_PER_S + 1e-3
        while self._ticks and self._ticks[0] <= limit:
            due += self._buckets.pop(heapq.heappop(self._ticks))
        return due

    def next_due(self) -> float | None:
        """Return when the next query is due, in seconds, or None when none is kept."""
        ticks, buckets = self._ticks, self._buckets
        while ticks and not buckets[ticks[0]]:
            del buckets[heapq.heappop(ticks)]
        return ticks[0] / _TICKS_PER_S if ticks else None
