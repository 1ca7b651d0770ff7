"""The agents of a node: its systemd units, carried out in the node's namespace without systemd."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.nodes.network import enter
from tests.support.nodes.plan import Node
from tests.support.nomad.leftovers import MARKER
from tests.support.processes import BIN

_UNITS = "etc/systemd/system"
_RESOLVER = "etc/resolv.conf"
_LAST_LINES = 20
# systemd's PATH of services, after the folder in which exec and raw_exec find the product's commands.
_PATH = f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A node has a resolv.conf of its own, which only its own processes see.
_WITH_RESOLVER = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"']


@dataclass(frozen=True)
class Unit:
    """The process of a systemd service: its command line and its variables."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def read_unit(path: Path) -> Unit:
    """Read a unit file, and its environment files."""
    environment: dict[str, str] = {}
    command: tuple[str, ...] = ()
    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        if key == "ExecStart":
            command = tuple(shlex.split(value))
        elif key == "EnvironmentFile":
            environment |= _read_variables(Path(value))
    return Unit(command, environment)


def _read_variables(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in path.read_text().splitlines() if line)
    return {name: value for name, _, value in pairs}


class NodeAgent:
    """An agent of a node: the process of the unit `name`, with `program` in place of the unit's own."""

    def __init__(self, node: Node, name: str, program: Path) -> None:
        self.node = node
        self.name = name
        self._program = program
        self._resolver = node.root / _RESOLVER
        self._process: subprocess.Popen[bytes] | None = None
        self.log_path = node.root / f"{name}.log"

    @property
    def has_ended(self) -> bool:
        """Return whether the process was started and has ended."""
        return self._process is not None and self._process.poll() is not None

    @property
    def log(self) -> str:
        """Return all that it has logged."""
        return self.log_path.read_text(errors="replace")

    @property
    def last_lines(self) -> str:
        """Return the end of what it has logged."""
        return "\n".join(self.log.splitlines()[-_LAST_LINES:])

    def start(self) -> None:
        """Start the process, with the data of the one before."""
        unit = read_unit(self.node.root / _UNITS / f"{self.name}.service")
        command = [*enter(self.node), *_WITH_RESOLVER, str(self._resolver), str(self._program)]
        surroundings = {"PATH": _PATH, "LANG": "C.UTF-8", MARKER: str(self.node.root.parent)}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *unit.command[1:]],
                env={**surroundings, **unit.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=os.sep,
                start_new_session=True,
            )

    def wait_ended(self) -> None:
        """Return once the process, which was killed, has ended."""
        if self._process is not None:
            self._process.wait()
            self._process = None
