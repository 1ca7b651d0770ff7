"""The base of policies that ask one model for the answer, so that there is nothing to combine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from clipper_frontend.selection.contract import Combined, Selection, Setup
from clipper_frontend.selection.losses import Label
from clipper_frontend.selection.state import Increments
from clipper_frontend.selection.tally import Tally

MAX_ARMS = 64


class NoParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There are no parameters."""


class SingleModel:
    """The base of policies that ask one model for the answer; without more, they learn nothing."""

    parameters: ClassVar[type[msgspec.Struct]] = NoParameters
    takes_weights: ClassVar[bool] = False
    default_loss: ClassVar[str | None] = "zero_one"
    most_arms: ClassVar[int] = MAX_ARMS
    learns = False

    def __init__(self, setup: Setup) -> None:
        self.arms = tuple(arm.name for arm in setup.arms)
        self._tally = Tally(self.arms, setup.loss)

    def combine(self, selection: Selection, outputs: Sequence[bytes | None]) -> Combined:
        """Return the only output."""
        output = outputs[0]
        missing = selection.asked if output is None else ()
        return Combined(output, 0.0 if output is None else 1.0, missing)

    def observe(
        self,
        selection: Selection,  # noqa: ARG002 (contract)
        outputs: Mapping[int, bytes | None],
        label: Label,
    ) -> Increments:
        """Return the increments for all outputs that are not missing."""
        return self._tally.increments(self._tally.losses(outputs, label))
