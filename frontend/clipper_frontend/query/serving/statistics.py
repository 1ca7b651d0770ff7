"""Counters of queries, as plain numbers; `metrics` renders them for Prometheus. No I/O.

Only the event loop's thread touches them, so an increment needs no lock.
"""

from __future__ import annotations

from collections.abc import Mapping

from clipper_frontend.query.prediction.statistics import Histogram
from clipper_frontend.selection.tally import MICRO, counter

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class ArmStatistics:
    """Counters of one arm of an application's policy.

    `chosen` counts the queries that asked it for their answer, `missing` those among them that got no output
    from it, `shadowed` the queries that it only shadowed. `measured` counts feedback on its outputs, `reward`
    sums their rewards, each from 0 (wrong) to 1 (right).
    """

    __slots__ = ("chosen", "measured", "missing", "reward", "shadowed")

    def __init__(self) -> None:
        self.chosen = 0
        self.missing = 0
        self.shadowed = 0
        self.measured = 0
        self.reward = 0.0


class ApplicationStatistics:
    """Counters of one application's queries."""

    __slots__ = (
        "abandoned",
        "arms",
        "bad_requests",
        "defaults",
        "feedback",
        "late_answers",
        "latency",
        "queries",
    )

    def __init__(self) -> None:
        self.queries = 0
        self.abandoned = 0
        self.late_answers = 0
        self.bad_requests = 0
        self.feedback = 0
        self.defaults: dict[str, int] = {}
        self.latency = Histogram(LATENCY_BUCKETS_S)
        self.arms: dict[str, ArmStatistics] = {}

    def arm(self, name: str) -> ArmStatistics:
        """Return the statistics of one arm; they outlive changes of the policy."""
        return self.arms.setdefault(name, ArmStatistics())

    def count_feedback(self, increments: Mapping[str, int]) -> None:
        """Count the increments that a policy made of feedback, for each arm."""
        for name, arm in self.arms.items():
            count = increments.get(counter("count", name), 0)
            arm.measured += count
            arm.reward += count - increments.get(counter("loss", name), 0) / MICRO
