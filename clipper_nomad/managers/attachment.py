"""Whether a manager is attached to its cluster, and how that was started.

Owns the refusals of calls that come before or after. Knows neither where a cluster's record is kept nor what
is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from clipper_nomad.errors import ContainerManagerError, UnconnectedException

Record = TypeVar("Record")


class Attachment(Generic[Record]):
    """What a manager holds of its cluster; `read` returns the cluster's record, None where there is none."""

    def __init__(self, cluster_name: str, read: Callable[[], Record | None]) -> None:
        self._cluster_name = cluster_name
        self._read = read
        self.is_connected = False

    def require(self) -> None:
        """Raise UnconnectedException unless the manager is connected."""
        if not self.is_connected:
            raise UnconnectedException

    def record(self) -> Record:
        """Return how the cluster was started: another process may have changed it."""
        self.require()
        record = self._read()
        if record is None:
            raise ContainerManagerError(
                f"Cluster {self._cluster_name!r} was stopped meanwhile: start it again with start_clipper()"
            )
        return record
