"""The length of each benchmark: full or quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Durations and counts. Comparisons are measured in turns, `rounds` times; the median ratio counts."""

    rounds: int = 11
    round_s: float = 2
    warm_up_s: float = 3
    overload_s: float = 15
    other_applications: int = 1000
    first_queries: int = 200_000
    last_queries: int = 1_000_000


WHOLE = Plan()
QUICK = Plan(
    rounds=3,
    round_s=2,
    warm_up_s=1,
    overload_s=4,
    other_applications=50,
    first_queries=20_000,
    last_queries=40_000,
)
