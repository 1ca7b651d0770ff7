"""Clusters of the local manager on free ports, for functional tests: real processes, gone with the block."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from clipper_container.kinds.closure import save_closure
from clipper_nomad.managers import health
from clipper_nomad.managers.local import LocalContainerManager, leftovers
from clipper_nomad.managers.local.state import StateDirectory
from clipper_nomad.managers.local.supervisor import ProcessStatus, Supervisor
from clipper_nomad.managers.ports import choose_free
from clipper_nomad.types import BuildSpec, ModelVersion
from tests.support.models import Model

CLUSTER_NAME = "tests"
_SETTINGS = ("query_port", "management_port", "redis_port", "rpc_port")
# RPC ports count up from the last setting.
_MAX_FRONTENDS = 3


class LocalCluster:
    """A place for one local cluster: a state directory and ports that were free."""

    def __init__(self, state_root: Path) -> None:
        self.state_root = state_root
        self.state = StateDirectory(state_root, CLUSTER_NAME)
        self.ports = dict(zip(_SETTINGS, _choose_ports(), strict=False))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.make_manager().remove_leftovers()

    def make_manager(self, **settings: Any) -> LocalContainerManager:
        """Return a manager of this cluster that is not connected yet."""
        return LocalContainerManager(CLUSTER_NAME, **{"state_dir": self.state_root, **self.ports, **settings})

    def processes(self) -> dict[str, ProcessStatus]:
        """Return supervisord's processes, by program name."""
        return Supervisor(self.state).processes()

    def pid(self, name: str) -> int:
        """Return the process id of a program, 0 while it has none."""
        return self.processes()[name].pid

    def live_processes(self) -> list[int]:
        """Return all processes of the cluster, kept by supervisord or not."""
        return leftovers.find(self.state.path)

    def is_ready(self, name: str) -> bool:
        """Return whether a query frontend or a replica reports that it is ready."""
        record = self.state.read()
        assert record is not None
        ports = {f"query-frontend-{each.index}": each.admin_port for each in record.frontends}
        for each in record.models:
            prefix = f"model.{each.model.name}.{each.model.version}"
            ports |= {f"{prefix}.{replica.index}": replica.admin_port for replica in each.replicas}
        return not health.unready_reason("127.0.0.1", ports[name])


def _choose_ports() -> list[int]:
    """Return free ports, of which those behind the last setting's follow it one by one."""
    while True:
        ports = choose_free("127.0.0.1", len(_SETTINGS) + _MAX_FRONTENDS)
        rpc_ports = ports[len(_SETTINGS) - 1 :]
        if rpc_ports == list(range(rpc_ports[0], rpc_ports[0] + len(rpc_ports))):
            return ports


def build_model(manager: LocalContainerManager, folder: Path, function: Model, *packages: str) -> str:
    """Save a function as a model's folder, build it, and return the image."""
    save_closure(function, folder)
    return manager.build(BuildSpec(ModelVersion("any", "1"), folder, pkgs_to_install=packages))
