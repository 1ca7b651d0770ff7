"""Estimates of a batch's duration on one replica, learnt from the batches it has answered. No I/O, no clock.

The duration of a batch of n inputs is modelled as a line, fixed + slope * n, plus a margin for the scatter
around it. The line is fitted by least squares with exponentially fading weights, at constant work per batch.
It answers two questions: the duration of a batch of n, and the largest batch that fits into a given time.

Clipper (NSDI 2017, section 4.3) finds the batch size by additive increase and multiplicative decrease, and
describes quantile regression as an alternative. A fitted line needs no violated SLO to learn from.
"""

from __future__ import annotations

import math

#: Weight of the past at each new batch: about the last 20 batches count.
_FADING = 0.95
#: The margin over the line, in mean absolute residuals: it covers 98 of 100 batches of normal scatter.
_MARGIN_DEVIATIONS = 3.0
#: Sizes that vary less than this (standard deviation over mean) do not determine the slope.
_MIN_RELATIVE_SPREAD = 0.1
#: A batch may be this many times the largest one answered: the line is not trusted further out.
_MAX_GROWTH = 2
#: More inputs in one batch add no throughput, only head-of-line blocking.
MAX_BATCH_SIZE = 4096


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
        """Return whether a batch was observed."""
        return self.largest > 0

    def observe(self, count: int, seconds: float) -> None:
        """Learn from a batch of `count` inputs that took `seconds`."""
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
        if variance > (_MIN_RELATIVE_SPREAD * mean_n) ** 2:
            self._slope = (self._nt / self._weight - mean_n * mean_t) / variance
        # Batches of one size leave the slope as it was, at first 0: only a larger batch shows more.
        # A steeper line than this one would give an empty batch a negative duration.
        self._slope = min(max(self._slope, 0.0), steepest)
        self._fixed = mean_t - self._slope * mean_n

    def expected_s(self, count: int) -> float:
        """Return the average duration of a batch of `count`, in seconds; 0 before the first measurement."""
        return self._fixed + self._slope * count

    def seconds(self, count: int) -> float:
        """Return the duration of a batch of `count` with its margin, in seconds, or 0 if unknown."""
        return self.expected_s(count) + _MARGIN_DEVIATIONS * self._deviation

    @property
    def max_batch_size(self) -> int:
        """Return the largest batch that may be tried next, whatever its duration."""
        return min(self.largest * _MAX_GROWTH, MAX_BATCH_SIZE) if self.largest else 1

    def fitting(self, seconds: float) -> int:
        """Return the largest batch that should take at most `seconds`, or 0 if even one input takes longer.

        It starts at 1, and is at most twice the largest batch answered so far.
        """
        if not self.largest:
            return 1
        limit = self.max_batch_size
        spare = seconds - self.seconds(0)
        if spare >= self._slope * limit:
            return limit
        return max(0, math.floor(spare / self._slope)) if spare > 0 else 0
