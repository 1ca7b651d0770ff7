"""Waiting in tests for the state of other processes, which announce nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

_TIMEOUT_S = 30.0
_POLL_S = 0.02


def eventually(condition: Callable[[], bool], what: str, timeout_s: float = _TIMEOUT_S) -> None:
    """Return when `condition` holds. Raises TimeoutError, which says `what` was awaited, if it never does."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"waited {timeout_s:g} s for this in vain: {what}")
        time.sleep(_POLL_S)
