"""Shares: numbers from 0 up that sum to one, made from weights or scores, or kept above a floor."""

from __future__ import annotations

import math
from collections.abc import Sequence


def normalised(weights: Sequence[float]) -> tuple[float, ...]:
    """Return weights as shares; all are equal if no weight is above 0."""
    total = math.fsum(weights)
    if total <= 0:
        return (1 / len(weights),) * len(weights)
    return tuple([weight / total for weight in weights])


def softmax(scores: Sequence[float]) -> tuple[float, ...]:
    """Return shares in proportion to exp(score), for finite scores of any size."""
    highest = max(scores)
    return normalised([math.exp(score - highest) for score in scores])


def explored(shares: Sequence[float], exploration: float) -> tuple[float, ...]:
    """Return shares of which `exploration`, from 0 to 1, is spread evenly: this is a floor for each."""
    floor = exploration / len(shares)
    return tuple([(1 - exploration) * share + floor for share in shares])
