"""The counters that every policy has for its arms: each one's number of measurements and sum of losses.

Losses are counted in millionths, so that sums stay exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from clipper_frontend.selection.losses import WORST, Label, Loss
from clipper_frontend.selection.state import ROUNDS, Counters, Increments

MICRO: Final = 1_000_000


class Measured(NamedTuple):
    """The number of an arm's measurements, and the sum of its losses."""

    times: float
    loss: float


class Tally:
    """The counters of some arms under one loss."""

    __slots__ = ("_loss", "_names")

    def __init__(self, arms: Iterable[str], loss: Loss | None) -> None:
        self._loss = loss
        self._names = [(counter("count", arm), counter("loss", arm)) for arm in arms]

    def losses(self, outputs: Mapping[int, bytes | None], label: Label) -> dict[int, float]:
        """Return the losses of the outputs that are not missing, by index; raises UnfitLabel."""
        if self._loss is None:
            return {}
        measure = self._loss.measure(label)
        return {index: measure(output) for index, output in outputs.items() if output is not None}

    def increments(self, losses: Mapping[int, float]) -> Increments:
        """Return the increments of one round with these losses."""
        increments = {ROUNDS: 1}
        for index, loss in losses.items():
            count_name, loss_name = self._names[index]
            increments[count_name] = 1
            increments[loss_name] = round(loss * MICRO)
        return increments

    def read(self, counters: Counters) -> list[Measured]:
        """Return the measurements of each arm; impossible sums are moved to the nearest possible ones."""
        return [
            Measured(
                times := max(counters.get(count_name, 0.0), 0.0),
                min(max(counters.get(loss_name, 0.0) / MICRO, 0.0), WORST * times),
            )
            for count_name, loss_name in self._names
        ]


def counter(kind: str, arm: str) -> str:
    """Return the name of one arm's counter."""
    return f"{kind}:{arm}"


def counters_of(kind: str, arms: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the counters of one kind, by index of the arm."""
    return tuple(counter(kind, arm) for arm in arms)
