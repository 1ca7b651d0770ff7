"""The policy `thompson`: each arm is drawn with the probability that it is the best one.

Thompson sampling with Beta posteriors (Agrawal and Goyal 2012) from uniform priors: a loss between 0 and 1
counts as that much failure, and the rest as success. Instead of drawing a number from every posterior for
each query, the probability that an arm's number would be the highest is computed when counters change; the
arms are then drawn in the same proportions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec
import numpy as np
import numpy.typing as npt

from clipper_frontend.selection.contract import Setup
from clipper_frontend.selection.policies.bandit import Bandit, Exploration
from clipper_frontend.selection.policies.shares import normalised
from clipper_frontend.selection.state import Counters

#: The points at which posteriors are evaluated: over the whole range, and closely around each one's mean, in
#: standard deviations. That makes the probabilities exact to a hundredth, which is enough for drawing.
_EVENLY: Final = np.linspace(0.0, 1.0, 65)
_AROUND: Final = np.linspace(-8.0, 8.0, 65)
_TINY: Final = 1e-300
#: The middle between this and the next smaller number is below 1 too, so that no logarithm is infinite.
_ALMOST_ONE: Final = 1 - 2**-52


class ThompsonParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`exploration` is the share of queries spread evenly, in addition to the posteriors' own exploration."""

    exploration: Exploration = 0.01


class Thompson(Bandit):
    """Prefers arms by the probability that they are the best."""

    name: ClassVar[str] = "thompson"
    parameters: ClassVar[type[msgspec.Struct]] = ThompsonParameters

    def __init__(self, setup: Setup, parameters: ThompsonParameters) -> None:
        super().__init__(setup, parameters.exploration)

    def preferences(self, counters: Counters) -> tuple[float, ...]:
        """Return the probabilities of being the best."""
        measured = self._tally.read(counters)
        return probabilities_of_best(
            [1.0 + arm.times - arm.loss for arm in measured], [1.0 + arm.loss for arm in measured]
        )


def probabilities_of_best(successes: Sequence[float], failures: Sequence[float]) -> tuple[float, ...]:
    """Return for each Beta(success, failure), both at least 1, the probability that its draw is the highest.

    It is the integral of one density times the others' distributions.
    """
    alpha, beta = np.asarray(successes)[:, None], np.asarray(failures)[:, None]
    edges = _edges(alpha, beta)
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    log_mass = (alpha - 1) * np.log(middles) + (beta - 1) * np.log1p(-middles) + np.log(widths)
    mass = np.exp(log_mass - log_mass.max(axis=1, keepdims=True))
    mass /= mass.sum(axis=1, keepdims=True)
    # Of two draws in one cell, either is the higher one with probability one half.
    log_below = np.log(np.maximum(np.cumsum(mass, axis=1) - mass / 2, _TINY))
    best = (mass * np.exp(log_below.sum(axis=0) - log_below)).sum(axis=1)
    return normalised(best.tolist())


def _edges(alpha: npt.NDArray[np.float64], beta: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    total = alpha + beta
    mean = alpha / total
    deviation = np.sqrt(mean * (1 - mean) / (total + 1))
    around = (mean + deviation * _AROUND).ravel()
    return np.unique(np.clip(np.concatenate([around, _EVENLY]), 0.0, _ALMOST_ONE))
