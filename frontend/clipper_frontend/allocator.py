"""The allocator's settings for a long-lived process, which keep its memory from growing.

glibc gives each thread an arena of its own, and as large blocks are freed it raises the size from which it
asks the kernel for memory (mallopt(3)). ZeroMQ's thread allocates frames that the event loop frees, and the
cache's tables are reallocated as they grow: with the defaults both leave holes for good.
"""

from __future__ import annotations

import ctypes
import gc

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE_BLOCK_BYTES = 1024 * 1024
#: The query path makes hardly any reference cycles: rare collections cost little memory and save pauses.
_GC_THRESHOLDS = (50_000, 20, 100)


def tune_allocator() -> None:
    """Tune the allocator and the garbage collector; call it before any thread is started."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # as on every system with glibc
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _LARGE_BLOCK_BYTES)
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
