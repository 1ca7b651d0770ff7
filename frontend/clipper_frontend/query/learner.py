"""One application's policy at work: the newest selectors, for all users and for single ones.

Owns which counters are known here and what is selected by them. It is told counters and the time, and does no
I/O; who reads Redis is `learning`.
"""

from __future__ import annotations

from collections.abc import Mapping

from clipper_frontend.registry.selection import Addition
from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Policy, Selection, Selector
from clipper_frontend.selection.losses import Label


class Learner:
    """An application's policy as long as its record and its links stay as they are.

    There is one for each application whose policy can be made, also where it learns nothing. `selector` is
    the newest one for queries without a user; it is a plain attribute, replaced when counters change.
    """

    application: str
    config: PolicyConfig
    policy: Policy
    selector: Selector

    def selector_of(self, user: str | None) -> Selector:
        """Return what selects for a user: by the user's own state, where it is known here.

        The first query of a user is answered by the application's state, and has the user's read. Costs a
        dictionary lookup where the policy learns and there is a user, else nothing.
        """
        raise NotImplementedError

    def observe(
        self,
        selection: Selection,
        outputs: Mapping[int, bytes | None],
        label: Label,
        user: str | None,
        now: float,
    ) -> list[Addition]:
        """Return what feedback adds, to the application's state and the user's; raises UnfitLabel.

        `now` is Unix time in seconds.
        """
        raise NotImplementedError
