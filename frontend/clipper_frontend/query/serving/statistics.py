"""Counters of the query path, as plain numbers: what `metrics` turns into Prometheus text. No I/O.

An increment costs an attribute, not a lock: everything here is touched from the event loop's thread alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from clipper_frontend.query.prediction.statistics import Histogram
from clipper_frontend.selection.tally import MICRO, counter

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class ArmStatistics:
    """What happened to one of those that an application's policy chooses among.

    `chosen` counts queries that asked it for the answer, `missing` those of them that it gave no output to,
    `shadowed` those that only watched it. `measured` counts feedback on its outputs, `reward` sums how right
    they were, from 0 to 1 each.
    """

    __slots__ = ("chosen", "measured", "missing", "reward", "shadowed")

    def __init__(self) -> None:
        self.chosen = 0
        self.missing = 0
        self.shadowed = 0
        self.measured = 0
        self.reward = 0.0


class ApplicationStatistics:
    """What happened to one application's queries."""

    __slots__ = ("arms", "bad_requests", "defaults", "feedback", "late_answers", "latency", "queries")

    def __init__(self) -> None:
        self.queries = 0
        self.late_answers = 0
        self.bad_requests = 0
        self.feedback = 0
        self.defaults: dict[str, int] = {}
        self.latency = Histogram(LATENCY_BUCKETS_S)
        self.arms: dict[str, ArmStatistics] = {}

    def arm(self, name: str) -> ArmStatistics:
        """Return the statistics of one arm; they outlive changes of the policy."""
        return self.arms.setdefault(name, ArmStatistics())

    def learnt(self, increments: Mapping[str, int]) -> None:
        """Count what feedback says of arms: the increments that a policy made of it."""
        for name, arm in self.arms.items():
            count = increments.get(counter("count", name), 0)
            arm.measured += count
            arm.reward += count - increments.get(counter("loss", name), 0) / MICRO
