"""The time and the seed of the hostile suite: from the environment, or those of continuous integration."""

from __future__ import annotations

import os
import random
import time

#: The time that the modules of the suite share, in seconds; starts and ends of clusters come on top.
SECONDS = float(os.environ.get("HOSTILE_S", "80"))
#: The same seed gives the same cases. It is fixed, so that what fails was broken by a change.
SEED = int(os.environ.get("HOSTILE_SEED", "1"))

_SHARES = {"rest": 0.15, "rpc": 0.15, "kills": 0.35, "interrupts": 0.25, "admins": 0.1}


def share_s(module: str) -> float:
    """Return the seconds that a module has."""
    return SECONDS * _SHARES[module]


def random_of(*parts: object) -> random.Random:
    """Return the random numbers of one case, which depend on the seed and on the case alone."""
    return random.Random(":".join(map(str, (SEED, *parts))))


class Budget:
    """The time of one module, from the moment at which it is made."""

    def __init__(self, module: str) -> None:
        self._ends_s = time.monotonic() + share_s(module)

    def is_left(self) -> bool:
        """Return whether another case may begin."""
        return time.monotonic() < self._ends_s
