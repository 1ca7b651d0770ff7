"""The policy `exp4`: an ensemble whose weights fall exponentially with each model's losses.

Clipper (NSDI 2017, section 5.2) names it after the algorithm for bandits with experts of Auer et al. (2002).
As every model answers every query, all losses are seen, and it is the exponentially weighted forecaster:
Cesa-Bianchi and Lugosi, "Prediction, learning, and games" (2006), theorem 2.3: with the rate √(8 ln N / t) in
round t, the weighted mean of the models' losses exceeds the best model's by 2 √(T/2 ln N) + √(ln N / 8) at
most. The mean of numbers loses no more than that (squared, absolute and log are convex), a vote at most twice
as much.

The rounds t are those not forgotten, so that the rate stays high enough for a changing world. The counter of
a model is the weighted mean loss of those that answered, less its own: the mean is the same for all and
changes no weight, a model that is added later starts level with it, and a model that gives no output neither
gains nor loses (Freund, Schapire, Singer and Warmuth 1997, "Using and combining predictors that specialize").
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import ClassVar

from clipper_frontend.selection.contract import Selection, Setup
from clipper_frontend.selection.policies import combining
from clipper_frontend.selection.policies.ensemble import Ensemble, EnsembleParameters
from clipper_frontend.selection.policies.shares import normalised, softmax
from clipper_frontend.selection.selector import Always
from clipper_frontend.selection.state import ROUNDS, Counters, Increments
from clipper_frontend.selection.tally import MICRO, counters_of


class Exp4(Ensemble):
    """Averages numbers or, under the loss zero_one, votes on labels; starts with the configured weights."""

    name: ClassVar[str] = "exp4"
    learns = True

    def __init__(self, setup: Setup, parameters: EnsembleParameters) -> None:
        averages = setup.loss is not None and setup.loss.kind.is_of_numbers
        rule = functools.partial(combining.mean, loss=setup.loss) if averages else combining.vote
        super().__init__(setup, rule, parameters.min_confidence)
        self._names = counters_of("exp4", self.arms)
        self._prior = [math.log(weight) for weight in self._weights]

    def selector(self, counters: Counters) -> Always:
        """Return a selector that asks every model, with weights by these counters."""
        rounds = max(counters.get(ROUNDS, 0.0), 0.0)
        rate = math.sqrt(8 * math.log(len(self._asked)) / (rounds + 1)) / MICRO
        scores = [
            prior + rate * counters.get(self._names[index], 0.0)
            for index, prior in zip(self._asked, self._prior, strict=True)
        ]
        return self.always(softmax(scores))

    def learnt(self, selection: Selection, losses: Mapping[int, float]) -> Increments:
        """Return the increments for the losses, and each model's advantage over their weighted mean."""
        increments = super().learnt(selection, losses)
        weights = dict(zip(selection.asked, selection.weights, strict=True))
        answered = [index for index in losses if index in weights]
        if answered:
            shares = normalised([weights[index] for index in answered])
            mean = sum(share * losses[index] for index, share in zip(answered, shares, strict=True))
            for index in answered:
                increments[self._names[index]] = round((mean - losses[index]) * MICRO)
        return increments
