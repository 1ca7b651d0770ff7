"""What bandits share: one model answers each query, drawn with a probability that feedback changes.

Owns what feedback on a drawn arm counts: the loss of its output, or the worst one where it gave none.
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

#: An arm that is tried more rarely is never known, and what feedback on it counts grows beyond measure.
_LEAST_EXPLORATION = 1e-4

#: The share of queries that is spread evenly over all arms, whatever was learnt.
Exploration = Annotated[float, msgspec.Meta(ge=_LEAST_EXPLORATION, le=1.0)]


class Bandit(SingleModel, ABC):
    """The base of policies that draw one model for each query and learn which to prefer."""

    learns = True

    def __init__(self, setup: Setup, exploration: float) -> None:
        super().__init__(setup)
        self._exploration = exploration

    @abstractmethod
    def preferences(self, counters: Counters) -> Sequence[float]:
        """Return the shares of queries that the arms should have by what is known."""

    def selector(self, counters: Counters) -> Drawn:
        """Return what draws by preference, and explores."""
        return Drawn(explored(self.preferences(counters), self._exploration))

    def observe(self, selection: Selection, outputs: Mapping[int, bytes | None], label: Label) -> Increments:
        """Return the measure of the drawn arm; nothing where it is not known what it answered."""
        drawn = selection.asked[0]
        losses = self._tally.losses(outputs, label)
        if drawn not in outputs:
            return {}
        return self.learnt(selection, losses.get(drawn, WORST))

    def learnt(self, selection: Selection, loss: float) -> Increments:
        """Return what the loss of the drawn arm adds."""
        return self._tally.increments({selection.asked[0]: loss})
