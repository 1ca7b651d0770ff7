"""Waiting for what replicas bring about, which shows only when it is asked for.

Owns the loop and its time. Knows neither what is waited for nor what watches over it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# Below what a person notices, and a few REST calls in each second that a deployment takes.
_POLL_S = 0.1


def wait_until(find_lacking: Callable[[], str], check: Callable[[], None], timeout_s: float) -> str:
    """Wait until `find_lacking` returns an empty text; return what it last said, empty unless time ran out.

    `check` is called in between, to raise when waiting has become pointless.
    """
    deadline_s = time.monotonic() + timeout_s
    while lacking := find_lacking():
        check()
        if time.monotonic() >= deadline_s:
            return lacking
        time.sleep(_POLL_S)
    return ""
