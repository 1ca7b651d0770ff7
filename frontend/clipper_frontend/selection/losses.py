"""Losses: measures from 0 to 1 of the error of an output, given the right label.

Bandits need bounded losses, so all are bounded. A squared or absolute loss needs the application's declared
range, to which outputs and labels are clipped, and is a share of the largest loss in it. A log loss is
clipped as if no model were surer than 1 - 10^-3. An output that the loss cannot measure has the worst loss.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from clipper_frontend.errors import UnfitLabel
from clipper_frontend.selection.outputs import as_label, as_number, label, number

#: The right output, as a decoded JSON value.
Label: TypeAlias = Any

WORST: Final = 1.0
_MIN_PROBABILITY: Final = 1e-3
_MAX_LOG: Final = -math.log(_MIN_PROBABILITY)


class LossKind(enum.Enum):
    """The kinds of losses, by the names that configurations use."""

    ZERO_ONE = "zero_one"
    SQUARED = "squared"
    ABSOLUTE = "absolute"
    LOG = "log"

    @property
    def needs_range(self) -> bool:
        """Return whether the loss is bounded by a declared range alone."""
        return self in (LossKind.SQUARED, LossKind.ABSOLUTE)

    @property
    def is_of_numbers(self) -> bool:
        """Return whether outputs must be numbers; else they are labels."""
        return self is not LossKind.ZERO_ONE


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss, and the range from `low` to `high` of outputs and labels."""

    kind: LossKind
    low: float = 0.0
    high: float = 1.0

    @property
    def width(self) -> float:
        """Return the width of the range."""
        return self.high - self.low

    def measure(self, label: Label) -> Callable[[bytes], float]:
        """Return a function from an output to its loss, given the right label; raises UnfitLabel."""
        return _MEASURES[self.kind](self, label)

    def share(self, value: float) -> float:
        """Return the position of a number in the range, from 0 to 1, clipped."""
        return min(max(value - self.low, 0.0) / self.width, 1.0)


def _zero_one(loss: Loss, right: Label) -> Callable[[bytes], float]:  # noqa: ARG001 (it has no range)
    wanted = as_label(right)
    return lambda output: 0.0 if label(output) == wanted else WORST


def _squared(loss: Loss, right: Label) -> Callable[[bytes], float]:
    distance = _absolute(loss, right)
    return lambda output: distance(output) ** 2


def _absolute(loss: Loss, right: Label) -> Callable[[bytes], float]:
    wanted = loss.share(_number(loss, right))

    def measure(output: bytes) -> float:
        value = number(output)
        return WORST if value is None else abs(loss.share(value) - wanted)

    return measure


def _log(loss: Loss, right: Label) -> Callable[[bytes], float]:
    wanted = _number(loss, right)
    if not 0.0 <= wanted <= 1.0:
        raise UnfitLabel(f"the loss log takes a label from 0 to 1 (what happened), not {wanted:g}")

    def measure(output: bytes) -> float:
        said = number(output)
        if said is None or not 0.0 <= said <= 1.0:
            return WORST
        said = min(max(said, _MIN_PROBABILITY), 1 - _MIN_PROBABILITY)
        surprise = -wanted * math.log(said) - (1 - wanted) * math.log1p(-said)
        return min(surprise / _MAX_LOG, WORST)

    return measure


def _number(loss: Loss, right: Label) -> float:
    value = as_number(right)
    if value is None:
        raise UnfitLabel(f"the loss {loss.kind.value} measures numbers: the label must be one")
    return value


_MEASURES: Final[Mapping[LossKind, Callable[[Loss, Label], Callable[[bytes], float]]]] = {
    LossKind.ZERO_ONE: _zero_one,
    LossKind.SQUARED: _squared,
    LossKind.ABSOLUTE: _absolute,
    LossKind.LOG: _log,
}
