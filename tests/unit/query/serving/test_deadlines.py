"""All deadlines in one place, for one timer."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clipper_frontend.query.serving.query import Deadlines, Query

_NOTHING: Any = None


def _query(deadline: float) -> Query:
    return Query(_NOTHING, _NOTHING, None, 0, 0.0, deadline, _NOTHING)


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans())), st.floats(0, 11))
def test_due_are_exactly_those_kept_and_past(queries: list[tuple[float, bool]], now: float) -> None:
    deadlines = Deadlines()
    kept = []
    for deadline, removed in queries:
        query = _query(deadline)
        deadlines.add(query)
        if removed:
            deadlines.remove(query)
        else:
            kept.append(query)
    due = deadlines.pop_due(now)
    # Nothing is answered before its deadline, and nothing later than a millisecond after it.
    assert all(query.deadline <= now for query in due)
    assert {query for query in kept if query.deadline < now - 0.002} <= set(due)
    later = deadlines.next_due()
    rest = set(kept) - set(due)
    assert (later is None) == (not rest)
    if rest:
        assert later is not None
        assert min(query.deadline for query in rest) <= later <= min(q.deadline for q in rest) + 0.002


@given(st.lists(st.floats(0, 10), min_size=1))
def test_a_timer_that_follows_the_hints_misses_nothing(deadlines_s: list[float]) -> None:
    deadlines = Deadlines()
    armed: float | None = None
    for deadline in deadlines_s:
        if deadlines.add(_query(deadline)):
            armed = deadlines.next_due()
    fired = 0
    while armed is not None:
        fired += len(deadlines.pop_due(armed))
        armed = deadlines.next_due()
    assert fired == len(deadlines_s)


def test_answered_queries_are_not_held() -> None:
    deadlines = Deadlines()
    for number in range(1000):
        query = _query(5.0 + number / 1e6)
        deadlines.add(query)
        deadlines.remove(query)
    assert sum(len(bucket) for bucket in deadlines._buckets.values()) == 0
    assert deadlines.next_due() is None
    assert not deadlines._buckets
