"""The demo's own cluster: of any manager, on free ports."""

from __future__ import annotations

from pathlib import Path

from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.options import ClusterOptions
from clipper_nomad.managers.table import find_manager

_CLUSTER = "demo"


def make_manager(manager_name: str, state_dir: Path | None) -> ContainerManager:
    """Return a manager of the demo's own cluster, which is not started yet."""
    options = ClusterOptions(_CLUSTER, state_dir, replaces_taken_ports=True)
    return find_manager(manager_name).from_cli(options)
