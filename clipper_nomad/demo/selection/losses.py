"""Losses of one stream of queries, added up and compared. No I/O.

A loss is 0 if an answer was right, and 1 if it was wrong or a default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: The loss of each round, in order.
Losses = Sequence[int]


@dataclass(frozen=True)
class Outcome:
    """The losses of every policy, and of every model had it answered alone; all of the same queries."""

    policies: Mapping[str, Losses]
    models: Mapping[str, Losses]

    @property
    def best_model(self) -> str:
        """Return the model with the least loss in the end, which is known only afterwards."""
        return min(self.models, key=lambda name: sum(self.models[name]))

    def excess(self, policy: str) -> int:
        """Return by how much a policy's loss exceeds the best model's; below 0 it lost less."""
        return sum(self.policies[policy]) - sum(self.models[self.best_model])


def cumulative(losses: Losses) -> npt.NDArray[np.int64]:
    """Return the loss up to and with each round."""
    return np.cumsum(np.asarray(losses, dtype=np.int64))


def recent_share(losses: Losses, window: int) -> npt.NDArray[np.float64]:
    """Return for each round the mean loss of the last `window` rounds, or of as many as there are yet."""
    sums = np.concatenate([[0], cumulative(losses)])
    ends = np.arange(1, len(losses) + 1)
    starts = np.maximum(ends - window, 0)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts), dtype=np.float64)


def share(losses: Losses) -> float:
    """Return the mean loss; that of no rounds is 0."""
    return sum(losses) / len(losses) if losses else 0.0
