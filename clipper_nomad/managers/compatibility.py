"""Whether start_clipper() may go on with a cluster that runs: of an older version, at the same addresses.

Owns the rule and its messages. Knows no manager.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from packaging.version import Version

from clipper_nomad.errors import ContainerManagerError


class StartedWith(Protocol):
    """What a cluster was started with, or is to be."""

    @property
    def version(self) -> str:
        """Return the version of this project."""


def require_compatible(
    wanted: StartedWith, before: StartedWith, cluster_name: str, fixed: Mapping[str, str]
) -> None:
    """Raise ContainerManagerError when a running cluster differs in what no roll can change.

    `fixed` are the attributes that must be equal, each with the word for it that users know.
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
