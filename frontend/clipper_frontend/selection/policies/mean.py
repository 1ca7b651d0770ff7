"""The policy `mean`: the mean of all models' numbers, weighted as configured."""

from __future__ import annotations

import functools
from typing import ClassVar

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.selection.contract import Setup
from clipper_frontend.selection.policies import combining
from clipper_frontend.selection.policies.ensemble import Ensemble, EnsembleParameters


class Mean(Ensemble):
    """Averages numbers; if a model gives something else, there is no answer but the default output."""

    name: ClassVar[str] = "mean"
    #: Without a declared range there is no bounded loss of numbers.
    default_loss: ClassVar[str | None] = None

    def __init__(self, setup: Setup, parameters: EnsembleParameters) -> None:
        if setup.loss is not None and not setup.loss.kind.is_of_numbers:
            raise PolicyRefusal(
                f"the policy mean averages numbers, and the loss {setup.loss.kind.value} compares labels: "
                "choose one of squared, absolute, log, or the policy majority_vote"
            )
        super().__init__(setup, functools.partial(combining.mean, loss=setup.loss), parameters.min_confidence)
