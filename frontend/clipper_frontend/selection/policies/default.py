"""The policy `default`: one model answers, as with Clipper's DefaultOutputSelectionPolicy."""

from __future__ import annotations

from typing import ClassVar

from clipper_frontend.selection.contract import Setup
from clipper_frontend.selection.policies.single import NoParameters, SingleModel
from clipper_frontend.selection.selector import Always, single_selection
from clipper_frontend.selection.state import Counters


class Default(SingleModel):
    """Asks the only model."""

    name: ClassVar[str] = "default"
    most_arms: ClassVar[int] = 1

    def __init__(self, setup: Setup, parameters: NoParameters) -> None:  # noqa: ARG002 (contract)
        super().__init__(setup)
        self._selector = Always(single_selection(0), arm_count=1)

    def selector(self, counters: Counters) -> Always:  # noqa: ARG002 (contract)
        """Return the same selector for any counters."""
        return self._selector
