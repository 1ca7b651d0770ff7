"""The share of this machine that others used during a measurement.

A ratio of two runs means nothing when others took the processors during one of them. Owns that one number;
knows nothing of what is measured.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.support.proc import stat_fields

#: The processor cores that other processes may use in a valid run.
MAX_OTHERS_CORES = 0.15
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_IDLE_FIELDS = (3, 4)  # idle and iowait, in /proc/stat
_PARENT, _FIRST_TIME, _AFTER_TIMES = 1, 11, 15  # in /proc/<pid>/stat, behind the name


class OthersWatch:
    """Measures the use of all processes but this one and its descendants, from its construction on."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()
        self._others_s = _busy_s() - _own_s()

    def cores(self) -> float:
        """Return the processor cores that others used on average since then."""
        used_s = _busy_s() - _own_s() - self._others_s
        return max(used_s, 0.0) / (time.monotonic() - self._started_s)


def _busy_s() -> float:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    return sum(int(ticks) for at, ticks in enumerate(fields) if at not in _IDLE_FIELDS) / _TICKS_PER_S


def _own_s() -> float:
    """Return the processor time of this process and of all that descend from it, living and ended."""
    times, children = _processes()
    pending, ticks = [os.getpid()], 0
    while pending:
        pid = pending.pop()
        ticks += times.get(pid, 0)
        pending += children.get(pid, [])
    return ticks / _TICKS_PER_S


def _processes() -> tuple[dict[int, int], dict[int, list[int]]]:
    """Return each process's time in ticks, that of its ended children included, and its living children."""
    times: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = stat_fields(entry)
        except OSError:
            continue  # it has ended
        pid = int(entry.name)
        times[pid] = sum(map(int, fields[_FIRST_TIME:_AFTER_TIMES]))
        children.setdefault(int(fields[_PARENT]), []).append(pid)
    return times, children
