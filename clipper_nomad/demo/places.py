"""Where the demo's cluster runs: on this machine, on a Docker engine, or on Nomad.

Owns the demo's cluster name, and the choice of ports that are free. Starts nothing.
"""

from __future__ import annotations

from pathlib import Path

from clipper_nomad.errors import ClipperException
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.docker import DockerContainerManager
from clipper_nomad.managers.local import LocalContainerManager
from clipper_nomad.managers.nomad import NomadContainerManager
from clipper_nomad.managers.ports import choose_free, is_free

_CLUSTER = "demo"
# The managers' own: query, management, RPC and Redis.
_DEFAULT_PORTS = (1337, 1338, 7000, 6379)


def make_manager(manager_name: str, state_dir: Path | None) -> ContainerManager:
    """Return a manager of the demo's own cluster, which is not started yet."""
    if manager_name == "local":
        return LocalContainerManager(_CLUSTER, *_choose_ports(), state_dir=state_dir)
    if manager_name == "docker":
        query_port, management_port, rpc_port, _ = _choose_ports()
        return DockerContainerManager(
            _CLUSTER,
            clipper_query_port=query_port,
            clipper_management_port=management_port,
            clipper_rpc_port=rpc_port,
            docker_network=f"clipper-{_CLUSTER}",
        )
    if manager_name == "nomad":
        return NomadContainerManager.from_env(_CLUSTER)
    raise ClipperException(f"The demo knows no manager {manager_name!r}.")


def _choose_ports() -> list[int]:
    """Return the default ports, those that are taken replaced by free ones."""
    free = choose_free("127.0.0.1", len(_DEFAULT_PORTS))
    return [
        port if is_free("127.0.0.1", port) else other
        for port, other in zip(_DEFAULT_PORTS, free, strict=True)
    ]
