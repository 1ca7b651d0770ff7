"""The policy `shadow`: one model answers; the others get the same queries, and are only measured."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.selection.contract import Setup
from clipper_frontend.selection.policies.single import SingleModel
from clipper_frontend.selection.selector import Always, single_selection
from clipper_frontend.selection.state import Counters


class ShadowParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`primary` is the arm that answers."""

    primary: str


class Shadow(SingleModel):
    """Asks one model for the answer, and the others for nothing but their measurement."""

    name: ClassVar[str] = "shadow"
    parameters: ClassVar[type[msgspec.Struct]] = ShadowParameters

    def __init__(self, setup: Setup, parameters: ShadowParameters) -> None:
        super().__init__(setup)
        if parameters.primary not in self.arms:
            raise PolicyRefusal(
                f"the policy shadow is to answer with {parameters.primary!r}, which is none of its arms: "
                f"set parameters.primary to one of {', '.join(self.arms)}"
            )
        primary = self.arms.index(parameters.primary)
        shadows = tuple(index for index in range(len(self.arms)) if index != primary)
        self._selector = Always(single_selection(primary, shadows=shadows), len(self.arms))

    def selector(self, counters: Counters) -> Always:  # noqa: ARG002 (contract)
        """Return the same selector for any counters."""
        return self._selector
