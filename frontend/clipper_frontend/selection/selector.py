"""Selectors: the same models for every query, or one model by a random number; all computed in advance."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from clipper_frontend.selection.contract import Selection


class Always:
    """Selects the same for every query."""

    __slots__ = ("constant", "shares")

    def __init__(self, selection: Selection, arm_count: int) -> None:
        self.constant: Selection | None = selection
        weights = dict(zip(selection.asked, selection.weights, strict=True))
        self.shares = tuple(weights.get(index, 0.0) for index in range(arm_count))

    def select(self, user: str | None, random: Callable[[], float]) -> Selection:  # noqa: ARG002 (contract)
        """Return the selection."""
        assert self.constant is not None
        return self.constant


class Drawn:
    """Selects one arm; its share is its probability."""

    __slots__ = ("_cumulative", "_selections", "constant", "shares")

    def __init__(self, shares: Sequence[float]) -> None:
        self.shares = tuple(shares)
        self._selections = single_selections(shares)
        # The last bound is left out, so that rounding errors fall to the last arm with a share.
        last = max(index for index, share in enumerate(shares) if share > 0)
        self._cumulative = list(accumulate(shares[:last]))
        self.constant = self._selections[last] if shares[last] >= 1.0 else None

    def select(self, user: str | None, random: Callable[[], float]) -> Selection:  # noqa: ARG002 (contract)
        """Return one arm, by one random number."""
        return self._selections[bisect_right(self._cumulative, random())]


def single_selections(shares: Sequence[float]) -> tuple[Selection, ...]:
    """Return the selection of each arm alone, with its share as its probability."""
    return tuple(single_selection(index, probability=share) for index, share in enumerate(shares))


def single_selection(index: int, *, probability: float = 1.0, shadows: tuple[int, ...] = ()) -> Selection:
    """Return the selection of one arm for the answer."""
    return Selection((index,), (1.0,), probability, shadows, only=index)
