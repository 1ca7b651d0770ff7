"""The cluster that a command is about, and the way to reach it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.management import ManagementClient
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.options import ClusterOptions
from clipper_nomad.managers.table import find_manager


@dataclass(frozen=True)
class Session:
    """One run of the command line: the manager by its name, and the cluster."""

    manager_name: str
    cluster: ClusterOptions

    @property
    def cluster_name(self) -> str:
        """Return the cluster's name."""
        return self.cluster.cluster_name

    @property
    def state_dir(self) -> Path | None:
        """Return the directory of local clusters; None is the manager's own choice."""
        return self.cluster.state_dir

    def make_manager(self, **addresses: Any) -> ContainerManager:
        """Return the cluster's manager; `addresses` are options for starting one."""
        return find_manager(self.manager_name).from_cli(replace(self.cluster, **addresses))

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
    """Return a client of the management frontend, for records that the connection does not return."""
    return ManagementClient(connection.cm.get_management_address)
