"""Connections to a real management frontend through a manager that records."""

from __future__ import annotations

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.testing import RecordingManager
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend


def connect(
    management: ManagementFrontend, redis_server: RedisServer, *frontends: str
) -> tuple[ClipperConnection, RecordingManager]:
    """Return a connection to a cluster that has these query frontends, by default `f1`, and its manager."""
    manager = RecordingManager(management.rest, redis_server.address, frontends or ("f1",))
    connection = ClipperConnection(manager)
    connection.connect()
    manager.events.clear()
    return connection, manager
