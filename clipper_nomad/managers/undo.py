"""What is taken back when a change fails half-way.

Owns one rule: a step back that fails itself never hides what went wrong before it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from clipper_nomad.errors import ContainerManagerError


class Undo(contextlib.ExitStack):
    """Steps that are taken, the last one first, when the block ends before forget()."""

    def add(self, step: Callable[[], object]) -> None:
        """Let `step` be taken with the rest."""

        def take() -> None:
            with contextlib.suppress(ContainerManagerError):
                step()

        self.callback(take)

    def forget(self) -> None:
        """The change is whole: nothing is to be taken back."""
        self.pop_all()
