"""The parts that drivers share: the ports of images, and the form of an archive's address."""

from __future__ import annotations

from collections.abc import Mapping

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import meta
from clipper_nomad.jobspecs.driver import Artifact, Component, Driver, Program

__all__ = ["CONTAINER_PORTS", "Artifact", "Component", "Driver", "Program", "parse_archive"]

#: The ports on which images listen, by component and label.
CONTAINER_PORTS: Mapping[str, Mapping[str, int]] = {
    meta.REDIS: {"redis": 6379},
    meta.QUERY_FRONTEND: {"query": 1337, "rpc": 7000, "admin": 1390},
    meta.MANAGEMENT_FRONTEND: {"management": 1338, "admin": 1390},
    meta.MODEL: {"admin": 1390},
}


def parse_archive(source: str) -> Artifact:
    """Read `<url>#sha256:<hex>`. Raises ContainerManagerError for anything else."""
    url, mark, digest = source.rpartition("#sha256:")
    is_digest = len(digest) == 64 and all(character in "0123456789abcdef" for character in digest)
    if not (url and mark and is_digest):
        raise ContainerManagerError(
            f"Cannot run the model {source!r} without images: it is not a <url>#sha256:<hex> of an "
            "archive. Deploy what this cluster's build() returned, or use the docker driver."
        )
    return Artifact(url, f"sha256:{digest}")
