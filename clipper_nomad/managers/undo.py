"""The rollback of a change that fails half-way.

A step back that fails is logged, and never hides the error before it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from clipper_nomad.errors import ContainerManagerError

logger = logging.getLogger("clipper")


class Undo(contextlib.ExitStack):
    """Steps back, which are taken in reverse order if the block ends before forget()."""

    def add(self, step: Callable[[], object]) -> None:
        """Add a step to the rollback."""

        def take() -> None:
            try:
                step()
            except ContainerManagerError as error:
                logger.warning("Rollback incomplete: %s", error)

        self.callback(take)

    def forget(self) -> None:
        """Drop all steps: the change is complete."""
        self.pop_all()
