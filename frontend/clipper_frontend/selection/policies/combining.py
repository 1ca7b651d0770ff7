"""The combination of several outputs: the mean of numbers, the vote of labels, and their agreement.

Outputs are those that are not missing, and their weights sum to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import Final, NamedTuple

from clipper_frontend.selection.losses import Loss
from clipper_frontend.selection.outputs import LabelKey, label, number, number_json

#: Outputs spread over their whole range are, on average, half of it away from their mean.
_MAX_DEVIATION_OF_RANGE: Final = 0.5


class Agreed(NamedTuple):
    """One answer, as JSON, and how far the outputs agree with it, from 0 to 1."""

    output: bytes
    agreement: float


class NotANumberError(ValueError):
    """The output at a position is not a number, so there is no mean."""

    def __init__(self, position: int) -> None:
        super().__init__(f"output {position} is not a number")
        self.position = position


def mean(outputs: Sequence[bytes], weights: Sequence[float], loss: Loss | None) -> Agreed:
    """Return the weighted mean of numbers; raises NotANumberError.

    Their agreement is 1 less their mean distance from it, as a share of the largest possible one: in the
    loss's declared range if it has one, else for numbers of their size.
    """
    values = []
    for position, output in enumerate(outputs):
        value = number(output)
        if value is None:
            raise NotANumberError(position)
        values.append(value)
    if values.count(values[0]) == len(values):
        return Agreed(outputs[0], 1.0)
    middle = sum(map(mul, weights, values))
    deviation = sum([weight * abs(value - middle) for weight, value in zip(weights, values, strict=True)])
    if loss is not None and loss.kind.is_of_numbers:
        largest = loss.width * _MAX_DEVIATION_OF_RANGE
    else:
        largest = sum(map(mul, weights, map(abs, values)))
    return Agreed(number_json(middle), 1.0 - deviation / largest if deviation < largest else 0.0)


def vote(outputs: Sequence[bytes], weights: Sequence[float]) -> Agreed:
    """Return the label with the most weight, and its share. Of equal ones the first wins."""
    votes: dict[LabelKey, float] = {}
    first: dict[LabelKey, bytes] = {}
    for output, weight in zip(outputs, weights, strict=True):
        key = label(output)
        votes[key] = votes.get(key, 0.0) + weight
        first.setdefault(key, output)
    winner = max(votes, key=votes.__getitem__)
    return Agreed(first[winner], min(votes[winner], 1.0))
