"""The state of policies: integer counters by name and bucket of time, so that sums are exact in any order.

It defines the buckets of time, their weights by age, and how a user's counters start from the application's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

#: Increments of counters, by name.
Increments: TypeAlias = dict[str, int]
#: Counters as they are read: discounted, therefore not integers.
Counters: TypeAlias = Mapping[str, float]
#: Counters as they are stored, by the bucket's start in seconds of Unix time.
Buckets: TypeAlias = Mapping[int, Mapping[str, int]]

#: The counter of feedback, which every policy has.
ROUNDS: Final = "rounds"

#: All counts of a bucket have one age: a quarter of a half-life is 16% of weight.
_BUCKETS_PER_HALF_LIFE: Final = 4
#: Older buckets count less than a thousandth.
_HALF_LIVES_KEPT: Final = 10
#: The only bucket of a policy that never forgets.
_FOREVER: Final = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """The speed of forgetting: a count that is `half_life_s` old counts half; with None all count fully.

    Times are seconds of Unix time. Counts written under another half-life are still discounted by their age.
    Counts written under None have no age: they are gone when a half-life is set.
    """

    half_life_s: float | None = None

    @property
    def bucket_s(self) -> int:
        """Return the length of a bucket in seconds; 0 stands for no end."""
        if self.half_life_s is None:
            return 0
        return max(1, int(self.half_life_s / _BUCKETS_PER_HALF_LIFE))

    @property
    def lifetime_s(self) -> int | None:
        """Return how long after its start a bucket counts at all, in seconds; None stands for no end."""
        if self.half_life_s is None:
            return None
        return int(self.half_life_s * _HALF_LIVES_KEPT) + self.bucket_s

    def bucket(self, now: float) -> int:
        """Return the bucket of the present."""
        return int(now // self.bucket_s) * self.bucket_s if self.bucket_s else _FOREVER

    def weight(self, bucket: int, now: float) -> float:
        """Return the present weight of a bucket's counts, from 0 to 1."""
        if self.half_life_s is None or self.lifetime_s is None:
            return 1.0
        # Another frontend's clock may be ahead.
        age_s = max(now - bucket, 0.0)
        return float(0.5 ** (age_s / self.half_life_s)) if age_s <= self.lifetime_s else 0.0

    def discounted(self, buckets: Buckets, now: float) -> dict[str, float]:
        """Return the sums of the counters of all buckets, each weighted by its age."""
        sums: dict[str, float] = {}
        for bucket, counters in buckets.items():
            weight = self.weight(bucket, now)
            if weight:
                for name, count in counters.items():
                    sums[name] = sums.get(name, 0.0) + weight * count
        return sums


def add(sums: Increments, increments: Mapping[str, int]) -> None:
    """Add `increments` to `sums`."""
    for name, count in increments.items():
        sums[name] = sums.get(name, 0) + count


def started_from(application: Counters, own: Counters, most_rounds: float) -> dict[str, float]:
    """Return a user's counters on top of the application's, which count as `most_rounds` rounds at most."""
    rounds = application.get(ROUNDS, 0.0)
    scale = min(1.0, most_rounds / rounds) if rounds > 0 else 0.0
    counters = {name: scale * count for name, count in application.items()}
    for name, count in own.items():
        counters[name] = counters.get(name, 0.0) + count
    return counters
