"""Which cluster a command is about, and how it is reached.

Owns the table of managers. Reads no options and prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.management import ManagementClient
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.docker import DockerContainerManager
from clipper_nomad.managers.local import LocalContainerManager
from clipper_nomad.managers.nomad import NomadContainerManager

_LOOPBACK = "127.0.0.1"


def make_docker_manager(
    cluster_name: str,
    state_dir: Path | None,
    *,
    host: str = _LOOPBACK,
    query_port: int = 1337,
    management_port: int = 1338,
    rpc_port: int = 7000,
    redis_port: int = 6379,
    redis_ip: str | None = None,
) -> DockerContainerManager:
    """Return the Docker manager of these settings; a cluster's state is all in the engine."""
    del state_dir
    return DockerContainerManager(
        cluster_name,
        "localhost" if host == _LOOPBACK else host,
        clipper_query_port=query_port,
        clipper_management_port=management_port,
        clipper_rpc_port=rpc_port,
        redis_ip=redis_ip,
        redis_port=redis_port,
    )


def make_nomad_manager(
    cluster_name: str,
    state_dir: Path | None,
    *,
    host: str = _LOOPBACK,
    query_port: int = 1337,
    management_port: int = 1338,
    rpc_port: int = 7000,
    redis_port: int = 6379,
    redis_ip: str | None = None,
) -> NomadContainerManager:
    """Return the Nomad manager that NOMAD_*, CONSUL_* and CLIPPER_* name; Nomad itself chooses addresses."""
    del state_dir
    if (host, query_port, management_port, rpc_port) != (_LOOPBACK, 1337, 1338, 7000):
        raise ContainerManagerError(
            "Nomad gives out addresses and ports by itself: leave --host, --query-port, --management-port "
            "and --rpc-port alone. Fabio's are CLIPPER_FABIO_ADDRESS, CLIPPER_FABIO_HTTP_PORT and "
            "CLIPPER_FABIO_TCP_PORT."
        )
    redis: dict[str, Any] = {"redis_ip": redis_ip, "redis_port": redis_port} if redis_ip else {}
    return NomadContainerManager.from_env(cluster_name, **redis)


#: What --manager names. A factory is given cluster_name, state_dir, and the settings of `start`.
MANAGERS: Mapping[str, Callable[..., ContainerManager]] = {
    "local": LocalContainerManager,
    "docker": make_docker_manager,
    "nomad": make_nomad_manager,
}


@dataclass(frozen=True)
class Session:
    """One run of the command line."""

    manager_name: str
    cluster_name: str
    state_dir: Path | None

    def make_manager(self, **settings: Any) -> ContainerManager:
        """Return the manager of the cluster; `settings` are those of a cluster that is to be started."""
        factory = MANAGERS[self.manager_name]
        return factory(cluster_name=self.cluster_name, state_dir=self.state_dir, **settings)

    def connect(self) -> ClipperConnection:
        """Return a connection to the running cluster."""
        connection = ClipperConnection(self.make_manager())
        connection.connect()
        return connection


def session_of(context: typer.Context) -> Session:
    """Return the session that the root options chose."""
    session = context.obj
    assert isinstance(session, Session)
    return session


def management_of(connection: ClipperConnection) -> ManagementClient:
    """Return a client of the management frontend, for what the connection's methods do not tell."""
    return ManagementClient(connection.cm.get_management_address)
