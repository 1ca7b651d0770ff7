"""Polling until a condition holds, for effects that can only be observed by asking."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Shorter than a person notices, and only a few REST calls for each second of a deployment.
_POLL_S = 0.1


def wait_until(find_missing: Callable[[], str], check: Callable[[], None], timeout_s: float) -> str:
    """Poll until `find_missing` returns an empty text; return its last text, empty unless time ran out.

    `check` is called between two polls, and raises if waiting has become pointless.
    """
    deadline_s = time.monotonic() + timeout_s
    while missing := find_missing():
        check()
        if time.monotonic() >= deadline_s:
            return missing
        time.sleep(_POLL_S)
    return ""
