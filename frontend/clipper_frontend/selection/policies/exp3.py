"""The policy `exp3`: exponential weights of rewards, for losses that may change in any way.

Auer, Cesa-Bianchi, Freund and Schapire, "The nonstochastic multiarmed bandit problem" (SIAM J. Comput. 32,
2002), figure 1: an arm's probability is (1 - γ) w / Σw + γ / K with w = exp(γ G / K), where G sums
reward / probability over the rounds in which the arm was drawn, and the reward is 1 - loss. Theorem 3.1: the
expected reward falls short of the best arm's by (e - 1) γ T + K ln K / γ at most.

The counter of an arm is G less all rewards of all arms. That is the same for every arm, so it changes no
probability, and an arm that is added later starts level with the others.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from clipper_frontend.selection.contract import Selection, Setup
from clipper_frontend.selection.losses import WORST
from clipper_frontend.selection.policies.bandit import Bandit, Exploration
from clipper_frontend.selection.policies.shares import softmax
from clipper_frontend.selection.state import Counters, Increments
from clipper_frontend.selection.tally import MICRO, counters_of


class Exp3Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`exploration` is γ: the share of queries spread evenly, and the speed of learning."""

    exploration: Exploration = 0.1


class Exp3(Bandit):
    """Prefers arms by the exponential of the rewards that they would have had."""

    name: ClassVar[str] = "exp3"
    parameters: ClassVar[type[msgspec.Struct]] = Exp3Parameters

    def __init__(self, setup: Setup, parameters: Exp3Parameters) -> None:
        super().__init__(setup, parameters.exploration)
        self._names = counters_of("exp3", self.arms)
        self._rate = parameters.exploration / len(self.arms) / MICRO

    def preferences(self, counters: Counters) -> tuple[float, ...]:
        """Return the exponential weights."""
        return softmax([self._rate * counters.get(name, 0.0) for name in self._names])

    def learnt(self, selection: Selection, loss: float) -> Increments:
        """Return the increments for the drawn arm, and every arm's gain or loss by this reward."""
        drawn = selection.asked[0]
        increments = super().learnt(selection, loss)
        reward = WORST - loss
        earned = round(reward * MICRO)
        for name in self._names:
            increments[name] = -earned
        increments[self._names[drawn]] += round(reward / selection.probability * MICRO)
        return increments
