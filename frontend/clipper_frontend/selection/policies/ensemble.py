"""The base of ensembles: every model is asked, and the outputs that arrive in time are combined.

Missing outputs count as disagreement; the answer is made of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, TypeAlias

import msgspec

from clipper_frontend.selection.contract import LOW_CONFIDENCE, NOT_A_NUMBER, Combined, Selection, Setup
from clipper_frontend.selection.losses import Label
from clipper_frontend.selection.policies.combining import Agreed, NotANumberError
from clipper_frontend.selection.policies.shares import normalised
from clipper_frontend.selection.policies.single import MAX_ARMS
from clipper_frontend.selection.selector import Always
from clipper_frontend.selection.state import Counters, Increments
from clipper_frontend.selection.tally import Tally

#: Makes one answer of the outputs that are not missing and their weights; raises NotANumberError.
Rule: TypeAlias = Callable[[Sequence[bytes], Sequence[float]], Agreed]

_MAX_BYTES_SHOWN = 100


class EnsembleParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Below `min_confidence` the application's default output is the answer."""

    min_confidence: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0


class Ensemble:
    """The base of policies that ask every model with a weight above 0, and combine their outputs by a rule.

    Here the weights are the configured ones; a subclass may learn them.
    """

    parameters: ClassVar[type[msgspec.Struct]] = EnsembleParameters
    takes_weights: ClassVar[bool] = True
    default_loss: ClassVar[str | None] = "zero_one"
    most_arms: ClassVar[int] = MAX_ARMS
    learns = False

    def __init__(self, setup: Setup, rule: Rule, min_confidence: float) -> None:
        self.arms = tuple(arm.name for arm in setup.arms)
        self._tally = Tally(self.arms, setup.loss)
        self._rule = rule
        self._min_confidence = min_confidence
        self._asked = tuple(index for index, arm in enumerate(setup.arms) if arm.weight > 0)
        self._weights = normalised([setup.arms[index].weight for index in self._asked])
        self._fixed = self.always(self._weights)

    def always(self, weights: tuple[float, ...]) -> Always:
        """Return a selector that asks every model, with these weights in the answer."""
        return Always(Selection(self._asked, weights), len(self.arms))

    def selector(self, counters: Counters) -> Always:  # noqa: ARG002 (contract)
        """Return the same selector for any counters."""
        return self._fixed

    def combine(self, selection: Selection, outputs: Sequence[bytes | None]) -> Combined:
        """Combine the outputs; give none if the rule cannot combine them, or too few agree."""
        weights: Sequence[float] = selection.weights
        missing: tuple[int, ...] = ()
        there: list[bytes] = [output for output in outputs if output is not None]
        present_share = 1.0
        if len(there) < len(outputs):
            asked = list(zip(selection.asked, weights, outputs, strict=True))
            missing = tuple(index for index, _, output in asked if output is None)
            weights = [weight for _, weight, output in asked if output is not None]
            present_share = min(sum(weights), 1.0)
            weights = normalised(weights)
        try:
            output, agreement = self._rule(there, weights)
        except NotANumberError as error:
            shown = there[error.position]
            arm = self.arms[selection.asked[outputs.index(shown)]]
            detail = f"a mean is made of numbers, and {arm} answered {_shown(shown)}"
            return Combined(None, 0.0, missing, NOT_A_NUMBER, detail)
        confidence = agreement * present_share
        if confidence < self._min_confidence:
            detail = f"the confidence is {confidence:.3g}, and at least {self._min_confidence:g} is asked for"
            return Combined(None, confidence, missing, LOW_CONFIDENCE, detail)
        return Combined(output, confidence, missing)

    def observe(self, selection: Selection, outputs: Mapping[int, bytes | None], label: Label) -> Increments:
        """Return the increments for all outputs that are not missing."""
        return self.learnt(selection, self._tally.losses(outputs, label))

    def learnt(self, selection: Selection, losses: Mapping[int, float]) -> Increments:  # noqa: ARG002
        """Return the increments for these losses, by index."""
        return self._tally.increments(losses)


def _shown(output: bytes) -> str:
    return output[:_MAX_BYTES_SHOWN].decode(errors="replace")
