"""Immutable image references: a registry digest, else an image id on this engine."""

from __future__ import annotations

import docker

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images.engine import Progress, log_progress, translated
from clipper_nomad.images.names import registry_of, split_reference
from clipper_nomad.images.registries import resolve_image
from clipper_nomad.images.settings import ImageSettings


def is_pinned(reference: str) -> bool:
    """Return whether a reference is immutable: `<repository>@<digest>`, or an image id."""
    return "@" in reference or reference.startswith("sha256:")


def pin_image(
    client: docker.DockerClient,
    reference: str,
    settings: ImageSettings,
    progress: Progress = log_progress,
) -> str:
    """Return `<repository>@<digest>` of an image that a registry has, else its id.

    Raises ContainerManagerError if it cannot be found, or if its name has a registry that it was never pushed
    to, since other engines could not pull it.
    """
    if is_pinned(reference):
        return reference
    image_id = resolve_image(client, reference, settings, progress)
    with translated():
        digests = client.images.get(image_id).attrs.get("RepoDigests") or []
    repository, _ = split_reference(reference)
    for digest in digests:
        if digest.partition("@")[0] == repository:
            return str(digest)
    registry = registry_of(reference)
    if registry is not None:
        raise ContainerManagerError(
            f"Image {reference} is on this Docker engine only: it was never pushed to registry {registry}, "
            "where other engines look for it. Push it; `clipper-nomad images build --push` pushes this "
            "project's own."
        )
    return image_id
