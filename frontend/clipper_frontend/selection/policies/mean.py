"""The policy `mean`: the mean of all models' numbers, weighed as configured."""

from __future__ import annotations

import functools
from typing import ClassVar

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.selection.contract import Setup
from clipper_frontend.selection.policies import combining
from clipper_frontend.selection.policies.ensemble import Ensemble, EnsembleParameters


class Mean(Ensemble):
    """Averages numbers; a model that answers something else makes the answer a refusal."""

    name: ClassVar[str] = "mean"
    #: Only a declared range could say how wrong a number is.
    default_loss: ClassVar[str | None] = None

    def __init__(self, setup: Setup, parameters: EnsembleParameters) -> None:
        if setup.loss is not None and not setup.loss.kind.is_of_numbers:
            raise PolicyRefusal(
                f"the policy mean averages numbers, and the loss {setup.loss.kind.value} compares labels: "
                "choose one of squared, absolute, log, or the policy majority_vote"
            )
        super().__init__(setup, functools.partial(combining.mean, loss=setup.loss), parameters.min_confidence)
