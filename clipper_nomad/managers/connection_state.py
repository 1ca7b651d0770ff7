"""The connection of a manager to its cluster: whether there is one, and the record of how it was started.

It refuses calls that come before connect() or after stop_all().
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from clipper_nomad.errors import NotRunningError, UnconnectedException

Record = TypeVar("Record")


class ConnectionState(Generic[Record]):
    """The state of a manager's connection; `read` returns its cluster's record, None if there is none."""

    def __init__(self, cluster_name: str, read: Callable[[], Record | None]) -> None:
        self._cluster_name = cluster_name
        self._read = read
        self.is_connected = False

    def require(self) -> None:
        """Raise UnconnectedException unless the manager is connected."""
        if not self.is_connected:
            raise UnconnectedException

    def record(self) -> Record:
        """Return how the cluster was started, read again: another process may have changed it."""
        self.require()
        record = self._read()
        if record is None:
            raise NotRunningError(
                f"Cluster {self._cluster_name!r} was stopped meanwhile: start it again with start_clipper()"
            )
        return record
