"""The rule by which start_clipper() takes over a running cluster: not newer, and at the same addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from packaging.version import Version

from clipper_nomad.errors import ContainerManagerError


class StartedWith(Protocol):
    """The record of how a cluster was started, or should be."""

    @property
    def version(self) -> str:
        """Return the version of this project."""


def require_compatible(
    wanted: StartedWith, before: StartedWith, cluster_name: str, fixed: Mapping[str, str]
) -> None:
    """Raise ContainerManagerError if a running cluster differs in what no roll can change.

    `fixed` maps each attribute that must be equal to the name by which users know it.
    """
    if Version(wanted.version) < Version(before.version):
        raise ContainerManagerError(
            f"Cluster {cluster_name!r} runs version {before.version}, and this is the older "
            f"{wanted.version}: upgrade clipper-nomad here, or stop the cluster first"
        )
    different = [
        f"{word} {getattr(before, name)!r} and not {getattr(wanted, name)!r}"
        for name, word in fixed.items()
        if getattr(before, name) != getattr(wanted, name)
    ]
    if different:
        raise ContainerManagerError(
            f"Cluster {cluster_name!r} is running with {', '.join(different)}: connect() to it as it is, "
            "stop it first with stop_all(keep_state=True), or choose another cluster_name"
        )
