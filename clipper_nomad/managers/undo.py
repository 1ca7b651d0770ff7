"""What is taken back when a change fails half-way.

Owns one rule: a step back that fails itself is told, and never hides what went wrong before it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from clipper_nomad.errors import ContainerManagerError

logger = logging.getLogger("clipper")


class Undo(contextlib.ExitStack):
    """Steps that are taken, the last one first, when the block ends before forget()."""

    def add(self, step: Callable[[], object]) -> None:
        """Let `step` be taken with the rest."""

        def take() -> None:
            try:
                step()
            except ContainerManagerError as error:
                logger.warning("Something of what is taken back stays: %s", error)

        self.callback(take)

    def forget(self) -> None:
        """The change is whole: nothing is to be taken back."""
        self.pop_all()
