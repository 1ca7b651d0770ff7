"""The fields of processes in Linux's /proc, which tests and benchmarks read."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def stat_fields(process: int | Path) -> list[str]:
    """Return the fields of a process, by its id or its folder, behind its name: state, parent, …

    Raises OSError if it has ended.
    """
    folder = process if isinstance(process, Path) else Path(f"/proc/{process}")
    # The program's name before them is in parentheses, and may hold any character.
    return (folder / "stat").read_text().rpartition(")")[2].split()


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has taken, in seconds."""
    user, system = stat_fields(pid)[11:13]
    return (int(user) + int(system)) / _TICKS_PER_S
