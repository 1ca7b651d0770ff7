"""The base of bandits: one model answers each query, drawn with a probability that feedback changes.

Feedback on a drawn arm counts as the loss of its output, or as the worst loss if it gave none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from clipper_frontend.selection.contract import Selection, Setup
from clipper_frontend.selection.losses import WORST, Label
from clipper_frontend.selection.policies.shares import explored
from clipper_frontend.selection.policies.single import SingleModel
from clipper_frontend.selection.selector import Drawn
from clipper_frontend.selection.state import Counters, Increments

#: An arm that is tried more rarely is never known, and the increments of its counters grow without bound.
_MIN_EXPLORATION = 1e-4

#: The share of queries that is spread evenly over all arms, whatever was learnt.
Exploration = Annotated[float, msgspec.Meta(ge=_MIN_EXPLORATION, le=1.0)]


class Bandit(SingleModel, ABC):
    """The base of policies that draw one model for each query and learn which to prefer."""

    learns = True

    def __init__(self, setup: Setup, exploration: float) -> None:
        super().__init__(setup)
        self._exploration = exploration

    @abstractmethod
    def preferences(self, counters: Counters) -> Sequence[float]:
        """Return the arms' shares of queries by these counters, before exploration."""

    def selector(self, counters: Counters) -> Drawn:
        """Return a selector that draws by preference, and explores."""
        return Drawn(explored(self.preferences(counters), self._exploration))

    def observe(self, selection: Selection, outputs: Mapping[int, bytes | None], label: Label) -> Increments:
        """Return the increments for the drawn arm; none if it is not known whether it gave an output."""
        drawn = selection.asked[0]
        losses = self._tally.losses(outputs, label)
        if drawn not in outputs:
            return {}
        return self.learnt(selection, losses.get(drawn, WORST))

    def learnt(self, selection: Selection, loss: float) -> Increments:
        """Return the increments for the loss of the drawn arm."""
        return self._tally.increments({selection.asked[0]: loss})
