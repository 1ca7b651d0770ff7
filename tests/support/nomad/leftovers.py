"""The leftovers of a cluster on the machine, removed: processes, containers, mounts.

Everything that an agent of a cluster starts carries the cluster's folder in its environment, under MARKER.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors

from tests.support.proc import stat_fields
from tests.support.processes import eventually

MARKER = "TEST_CLUSTER_FOLDER"
_NODE_LABEL = "com.hashicorp.nomad.node_name"
_STOP_TIMEOUT_S = 20.0


def is_alive(pid: int, directory: Path) -> bool:
    """Return whether a process runs and belongs to the cluster in `directory`."""
    process = Path("/proc") / str(pid)
    with contextlib.suppress(OSError):
        # While a process becomes another program, its environment is empty.
        is_ours = not (process / "environ").read_bytes() or _is_marked(process, directory)
        return is_ours and stat_fields(process)[0] not in "ZX"
    return False


def kill_processes(directory: Path) -> None:
    """Kill the processes that the cluster in `directory` started or that run below it, until none is left."""

    def is_quiet() -> bool:
        found = list(_processes(directory))
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    eventually(is_quiet, f"the processes of {directory} have ended", _STOP_TIMEOUT_S)


def _processes(directory: Path) -> Iterator[int]:
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with contextlib.suppress(OSError):
                if _is_marked(process, directory) or _works_below(process, directory):
                    yield int(process.name)


def _is_marked(process: Path, directory: Path) -> bool:
    return f"{MARKER}={directory}".encode() in (process / "environ").read_bytes().split(b"\0")


def _works_below(process: Path, directory: Path) -> bool:
    # A task of the exec driver has an environment and a root of its own.
    return any((process / name).readlink().is_relative_to(directory / "nomad") for name in ("cwd", "root"))


def remove_containers(client: docker.DockerClient, node_name: str) -> None:
    """Remove the containers of a Nomad node."""
    found = client.containers.list(
        all=True, filters={"label": f"{_NODE_LABEL}={node_name}"}, ignore_removed=True
    )
    for container in found:
        with contextlib.suppress(docker.errors.NotFound):
            container.remove(force=True, v=True)


def unmount(directory: Path) -> None:
    """Unmount all file systems below a folder, the innermost first."""
    lines = Path("/proc/mounts").read_text().splitlines()
    points = [Path(line.split()[1].encode().decode("unicode_escape")) for line in lines]
    for point in sorted(points, reverse=True):
        if point.is_relative_to(directory):
            subprocess.run(["umount", "--lazy", str(point)], check=True)
