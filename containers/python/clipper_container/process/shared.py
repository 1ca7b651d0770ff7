"""The memory that a replica shares with the process that watches it.

The watching process reads it even while the model's code holds the interpreter. A write costs less than a
tenth of a microsecond.
"""

from __future__ import annotations

import math
import mmap
import os
import sys
from typing import NoReturn, Optional

_BYTES = 16
_RUNNING_SINCE = 0
_IS_ENDING = 1
_IDLE = float("nan")


class Shared:
    """The state that a replica shares with its watcher: made before the fork, and used by both sides."""

    def __init__(self) -> None:
        # Aligned numbers of 8 bytes are written and read whole.
        self._numbers = memoryview(mmap.mmap(-1, _BYTES)).cast("d")
        self._numbers[_RUNNING_SINCE] = _IDLE
        self._watcher_pid = os.getpid()

    @property
    def running_since(self) -> Optional[float]:
        """Return the time, by the clock of all processes, since when the model runs; None if it does not."""
        since = self._numbers[_RUNNING_SINCE]
        return None if math.isnan(since) else since

    def starts(self, now: float) -> None:
        """Note that the model starts to run."""
        self._numbers[_RUNNING_SINCE] = now

    def stops(self) -> None:
        """Note that the model has returned or raised."""
        self._numbers[_RUNNING_SINCE] = _IDLE

    @property
    def is_ending(self) -> bool:
        """Return whether the replica ends by itself, and has logged why."""
        return self._numbers[_IS_ENDING] == 1.0

    def is_orphaned(self) -> bool:
        """Return whether the watcher of this replica is gone."""
        return os.getppid() != self._watcher_pid

    def exit_now(self, code: int) -> NoReturn:
        """End this replica, even while another thread is inside the model's code.

        Non-daemon threads of the model are not waited for.
        """
        self._numbers[_IS_ENDING] = 1.0
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
