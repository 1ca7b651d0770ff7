"""How this process's allocator is set, so that a long-lived frontend's memory stays where it is.

glibc gives each thread an arena of its own, and raises the size from which it asks the kernel for memory as
large blocks are freed. Frames that ZeroMQ's thread allocates and the event loop frees, and the cache's tables
that grow anew now and then, would leave holes for ever (mallopt(3)).
"""

from __future__ import annotations

import ctypes
import gc

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE_BLOCK_BYTES = 1024 * 1024
#: The query path makes hardly any cycles: looking for them seldom costs little memory and saves pauses.
_GC_THRESHOLDS = (50_000, 20, 100)


def settle_memory() -> None:
    """Set the allocator and the collector; call it before any thread is started."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # as on every system with glibc
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _LARGE_BLOCK_BYTES)
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
