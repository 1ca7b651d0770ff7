"""The processes of a local cluster by descent: supervisord, what it keeps, and their children."""

from __future__ import annotations

import contextlib

from tests.support.local_clusters import LocalCluster
from tests.support.proc import stat_fields

SUPERVISORD = "supervisord"


def find_all(cluster: LocalCluster) -> dict[str, int]:
    """Return the ids of supervisord, of its programs, and of their children, as `<program>/<number>`."""
    found = {name: each.pid for name, each in cluster.processes().items()}
    live = cluster.live_processes()
    for name, pid in list(found.items()):
        children = [each for each in live if pid and _parent(each) == pid]
        found |= {f"{name}/{number}": child for number, child in enumerate(children)}
    return found | {SUPERVISORD: _supervisord(cluster)}


def find_strays(cluster: LocalCluster) -> list[int]:
    """Return the live processes that have no living supervisord above them."""
    supervisord = _supervisord(cluster)
    live = cluster.live_processes()
    return [pid for pid in live if supervisord not in _line(pid)]


def _supervisord(cluster: LocalCluster) -> int:
    try:
        return int((cluster.state.supervisor_dir / "supervisord.pid").read_text())
    except FileNotFoundError:
        return 0


def _line(pid: int) -> list[int]:
    """Return a process with its parents."""
    found = []
    while pid > 1:
        found.append(pid)
        pid = _parent(pid)
    return found


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(stat_fields(pid)[1])
    return 0
