"""How long a batch takes on one replica, learnt from those it has answered. No I/O, no clock.

The time of a batch of n is modelled as a line, fixed + per_input * n, fitted by least squares with
exponentially fading weights (constant work per batch), plus a margin for what the line does not explain. It
answers two questions: how many inputs fit into a given time, and how many inputs per second the replica can
take.

Clipper (NSDI 2017, section 4.3) finds the batch size by additive increase and multiplicative decrease; it
also describes the fit by quantile regression. A fitted line needs no violation to learn from.
"""

from __future__ import annotations

import math

#: Weight of the past at each new batch: about the last 20 batches count.
_FADING = 0.95
#: The margin over the line, in mean absolute residuals: covers 98 of 100 batches when they scatter normally.
_MARGIN_DEVIATIONS = 3.0
#: Sizes that vary less than this (standard deviation over mean) do not tell the slope.
_LEAST_RELATIVE_SPREAD = 0.1
#: A batch may be this much larger than the largest one answered: the line is not trusted further out.
_GROWTH = 2
#: More inputs in one batch bring no throughput, only head-of-line blocking.
LARGEST_BATCH = 4096


class BatchEstimator:
    """The learnt line of one replica; `largest` is the largest batch answered so far."""

    __slots__ = ("_deviation", "_fixed", "_n", "_nn", "_nt", "_slope", "_t", "_weight", "largest")

    def __init__(self) -> None:
        self._weight = self._n = self._t = self._nn = self._nt = 0.0
        self._fixed = self._slope = 0.0
        self._deviation = 0.0
        self.largest = 0

    @property
    def measured(self) -> bool:
        """Tell whether any batch was observed."""
        return self.largest > 0

    def observe(self, count: int, seconds: float) -> None:
        """Learn that a batch of `count` inputs took `seconds`."""
        if self.largest:
            residual = abs(seconds - self.expected_s(count))
            self._deviation += (1 - _FADING) * 2 * (residual - self._deviation)
        self._weight = self._weight * _FADING + 1
        self._n = self._n * _FADING + count
        self._t = self._t * _FADING + seconds
        self._nn = self._nn * _FADING + count * count
        self._nt = self._nt * _FADING + count * seconds
        self.largest = max(self.largest, count)
        self._fit()

    def _fit(self) -> None:
        mean_n, mean_t = self._n / self._weight, self._t / self._weight
        variance = self._nn / self._weight - mean_n * mean_n
        steepest = mean_t / mean_n
        if variance > (_LEAST_RELATIVE_SPREAD * mean_n) ** 2:
            self._slope = (self._nt / self._weight - mean_n * mean_t) / variance
        # While all were of one size the slope stays what it was, at first 0: only a larger batch tells more.
        # A line that is too steep would say that an empty batch takes less than no time.
        self._slope = min(max(self._slope, 0.0), steepest)
        self._fixed = mean_t - self._slope * mean_n

    def expected_s(self, count: int) -> float:
        """Return how long a batch of `count` takes on average; 0 while nothing is measured."""
        return self._fixed + self._slope * count

    def seconds(self, count: int) -> float:
        """Return how long a batch of `count` should take at most; 0 while nothing is measured."""
        return self.expected_s(count) + _MARGIN_DEVIATIONS * self._deviation

    @property
    def largest_allowed(self) -> int:
        """Return how large a batch may be by what was seen so far, whatever its time."""
        return min(self.largest * _GROWTH, LARGEST_BATCH) if self.largest else 1

    def fitting(self, seconds: float) -> int:
        """Return the largest batch that should take at most `seconds`, 0 when even one input should not.

        It starts at 1 and is at most twice the largest batch answered so far.
        """
        if not self.largest:
            return 1
        limit = self.largest_allowed
        spare = seconds - self.seconds(0)
        if spare >= self._slope * limit:
            return limit
        return max(0, math.floor(spare / self._slope)) if spare > 0 else 0
