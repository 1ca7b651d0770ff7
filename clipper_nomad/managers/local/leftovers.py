"""The processes of a cluster that supervisord no longer keeps, found by a mark in their environment.

Their supervisord was killed, or a process left them behind. They are found in /proc; on a system without it,
none is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

_MARK = "CLIPPER_LOCAL_CLUSTER"
_PROC = Path("/proc")
_POLL_S = 0.05
_KILL_WAIT_S = 5.0


def mark(cluster_path: Path) -> dict[str, str]:
    """Return the environment variables that mark a process and its children as the cluster's."""
    return {_MARK: str(cluster_path)}


def find(cluster_path: Path) -> list[int]:
    """Return the ids of the live processes with the cluster's mark, without this process."""
    if not _PROC.is_dir():
        return []
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and _belongs(pid, cluster_path) and is_alive(pid)]


def find_groups(cluster_path: Path, groups: Collection[int]) -> list[int]:
    """Return the cluster's processes that belong to one of the process groups."""
    return [pid for pid in find(cluster_path) if group_of(pid) in groups]


def end(pids: Collection[int], *, patience_s: float) -> None:
    """Ask processes to end, kill those that still run after `patience_s`, and return when all are gone."""
    _signal(pids, signal.SIGTERM if patience_s > 0 else signal.SIGKILL)
    if left := wait_gone(pids, patience_s):
        _signal(left, signal.SIGKILL)
        wait_gone(left, _KILL_WAIT_S)


def wait_gone(pids: Collection[int], timeout_s: float) -> list[int]:
    """Wait until the processes are gone, at most `timeout_s`; return those that still run."""
    deadline = time.monotonic() + timeout_s
    while (left := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return left


def is_alive(pid: int) -> bool:
    """Return whether the process exists and has not ended; a zombie has."""
    try:
        os.kill(pid, 0)
        state = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except OSError:
        return not _PROC.is_dir()
    return state != "Z"


def _belongs(pid: int, cluster_path: Path) -> bool:
    process = _PROC / str(pid)
    try:
        if f"{_MARK}={cluster_path}".encode() in (process / "environ").read_bytes().split(b"\0"):
            return True
        # Redis writes its title over its environment, but stays in its directory below the cluster's.
        is_redis = (process / "comm").read_text().startswith("redis-server")
        return is_redis and (process / "cwd").readlink().is_relative_to(cluster_path)
    except OSError:
        return False


def group_of(pid: int) -> int | None:
    """Return the process group of a process, None if it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _signal(pids: Collection[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
