"""Orphans: processes of a cluster that serve on although the supervisord that kept them was killed.

supervisord cannot keep a process that it has not started. So the next start replaces orphans one after
another, and needs to know which program each one is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from clipper_nomad.managers.local import leftovers, programs
from clipper_nomad.managers.local.state import ClusterRecord, StateDirectory
from clipper_nomad.types import ModelVersion

_MANAGEMENT_MODULE = "clipper_frontend.management.main"
_HANDOVER_FLAG = "--handover-socket"


def find_orphans(state: StateDirectory, record: ClusterRecord, kept: Collection[str]) -> dict[str, int]:
    """Return the orphans' process ids by program name; `kept` are the programs that supervisord keeps."""
    ports = {
        str(replica.admin_port): programs.replica_name(each.model, replica.index)
        for each in record.models
        for replica in each.replicas
    }
    found: dict[str, int] = {}
    for pid in leftovers.find(state.path):
        # The leader of a group is the process that supervisord had started; the rest goes with it.
        if leftovers.group_of(pid) == pid and (name := _name_of(pid, ports)):
            found[name] = pid
    # A process that a model has started resembles its replica, which is no orphan while it is kept.
    return {name: pid for name, pid in found.items() if name not in kept}


def _name_of(pid: int, replicas_by_port: Mapping[str, str]) -> str | None:
    process = Path("/proc") / str(pid)
    try:
        argv = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        lines = (process / "environ").read_bytes().decode(errors="replace").split("\0")
        if (process / "comm").read_text().startswith("redis-server"):
            return programs.REDIS
    except OSError:
        return None
    if any(_MANAGEMENT_MODULE in part for part in argv):
        return programs.MANAGEMENT_FRONTEND
    if _HANDOVER_FLAG in argv:
        return Path(argv[argv.index(_HANDOVER_FLAG) + 1]).name
    environment = dict(line.partition("=")[::2] for line in lines)
    if "CLIPPER_MODEL_NAME" in environment:
        model = ModelVersion(environment["CLIPPER_MODEL_NAME"], environment.get("CLIPPER_MODEL_VERSION", ""))
        # One whose port is not in the record has been replaced by a call that was interrupted then.
        replaced = f"{programs.replica_name(model, 0)}.replaced"
        return replicas_by_port.get(environment.get("CLIPPER_ADMIN_PORT", ""), replaced)
    return None
