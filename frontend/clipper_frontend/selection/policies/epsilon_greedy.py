"""The policy `epsilon_greedy`: the arm with the least mean loss, and a share of queries spread evenly."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from clipper_frontend.selection.contract import Setup
from clipper_frontend.selection.policies.bandit import Bandit, Exploration
from clipper_frontend.selection.policies.shares import normalised
from clipper_frontend.selection.state import Counters

#: Every arm starts with this many outputs of the mean loss of all arms.
_PRIOR_COUNT = 1.0
_NO_LOSS_KNOWN = 0.5


class EpsilonGreedyParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`exploration` is the share of queries spread evenly."""

    exploration: Exploration = 0.1


class EpsilonGreedy(Bandit):
    """Prefers the best arm so far, or the best ones if several are equal."""

    name: ClassVar[str] = "epsilon_greedy"
    parameters: ClassVar[type[msgspec.Struct]] = EpsilonGreedyParameters

    def __init__(self, setup: Setup, parameters: EpsilonGreedyParameters) -> None:
        super().__init__(setup, parameters.exploration)

    def preferences(self, counters: Counters) -> tuple[float, ...]:
        """Return equal shares for the arms with the least mean loss, and none for the others."""
        measured = self._tally.read(counters)
        times = sum(arm.times for arm in measured)
        overall = sum(arm.loss for arm in measured) / times if times > 0 else _NO_LOSS_KNOWN
        means = [(arm.loss + _PRIOR_COUNT * overall) / (arm.times + _PRIOR_COUNT) for arm in measured]
        least = min(means)
        return normalised([float(mean == least) for mean in means])
