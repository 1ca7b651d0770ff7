"""The exec and raw_exec drivers: programs that are installed on the nodes.

A model is an archive of its folder (`model/`) and of its pip packages (`packages/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clipper_nomad.jobspecs import meta
from clipper_nomad.jobspecs.hcl import Interpolated, Value
from clipper_nomad.managers.nomad.drivers.base import Component, Program, parse_archive

_COMMANDS: Mapping[str, str] = {
    meta.REDIS: "redis-server",
    meta.QUERY_FRONTEND: "clipper-query-frontend",
    meta.MANAGEMENT_FRONTEND: "clipper-management-frontend",
    meta.MODEL: "clipper-container",
}
#: The arguments that Redis' image sets by itself, and the port.
_REDIS_ARGUMENTS = (
    *("--port", Interpolated("${NOMAD_PORT_redis}")),
    *("--bind", "*", "-::*"),
    *("--protected-mode", "no"),
    *("--appendonly", "yes"),
    *("--appendfsync", "everysec"),
    *("--save", ""),
    *("--notify-keyspace-events", "AKE"),
)


@dataclass(frozen=True)
class ExecDriver:
    """Programs in a chroot of their own. `bin_dir` is their folder on the nodes; None: the PATH."""

    bin_dir: str | None = None

    name = "exec"
    mounts_volumes = True

    def program(self, component: Component) -> Program:
        """Return the command of a component. Raises ContainerManagerError if a model is not an archive."""
        config: dict[str, Value] = {"command": self._command(component.name)}
        arguments = (*(_REDIS_ARGUMENTS if component.name == meta.REDIS else ()), *component.arguments)
        if arguments:
            config["args"] = arguments
        if component.name != meta.MODEL:
            return Program(config)
        environment = {
            "CLIPPER_MODEL_PATH": Interpolated("${NOMAD_TASK_DIR}/model"),
            "PYTHONPATH": Interpolated("${NOMAD_TASK_DIR}/packages"),
            "PYTHONUNBUFFERED": "1",
        }
        return Program(config, environment=environment, artifacts=(parse_archive(component.source),))

    def _command(self, component: str) -> str:
        command = _COMMANDS[component]
        return f"{self.bin_dir.rstrip('/')}/{command}" if self.bin_dir else command


@dataclass(frozen=True)
class RawExecDriver(ExecDriver):
    """Programs with no isolation, as the user of Nomad's client. They see no volumes."""

    name = "raw_exec"
    mounts_volumes = False
