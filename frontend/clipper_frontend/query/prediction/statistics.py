"""Counters of predictions, as plain numbers; `metrics` renders them for Prometheus. No I/O.

Only the event loop's thread touches them, so an increment needs no lock.
"""

from __future__ import annotations

from bisect import bisect_left

BATCH_BUCKETS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0)


class Histogram:
    """Observations counted by bucket; `bounds` are inclusive upper bounds, the last bucket is open."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class VersionStatistics:
    """Counters of one model version's predictions."""

    __slots__ = (
        "batch_sizes",
        "cache_hits",
        "cache_misses",
        "joined",
        "lost_replicas",
        "model_errors",
        "retries",
    )

    def __init__(self) -> None:
        self.cache_hits = 0
        self.cache_misses = 0
        self.joined = 0
        self.retries = 0
        self.model_errors = 0
        self.lost_replicas = 0
        self.batch_sizes = Histogram(BATCH_BUCKETS)
