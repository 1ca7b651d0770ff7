"""The policy `majority_vote`: the label that most models give, weighted as configured."""

from __future__ import annotations

from typing import ClassVar

from clipper_frontend.selection.contract import Setup
from clipper_frontend.selection.policies import combining
from clipper_frontend.selection.policies.ensemble import Ensemble, EnsembleParameters


class MajorityVote(Ensemble):
    """Votes on labels; its confidence is the share of the models that gave the winner."""

    name: ClassVar[str] = "majority_vote"

    def __init__(self, setup: Setup, parameters: EnsembleParameters) -> None:
        super().__init__(setup, combining.vote, parameters.min_confidence)
