"""What names an image for good, for engines elsewhere: a digest in a registry, else an id on this engine.

Owns that choice. Knows no cluster.
"""

from __future__ import annotations

import docker

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images.engine import Progress, log_progress, translated
from clipper_nomad.images.names import registry_of, split_reference
from clipper_nomad.images.registries import resolve_image
from clipper_nomad.images.settings import ImageSettings


def is_pinned(reference: str) -> bool:
    """Tell whether a reference means one image for good: `<repository>@<digest>`, or an id."""
    return "@" in reference or reference.startswith("sha256:")


def pin_image(
    client: docker.DockerClient,
    reference: str,
    settings: ImageSettings,
    progress: Progress = log_progress,
) -> str:
    """Return `<repository>@<digest>` of an image that a registry has, and the id of one that none has.

    Raises ContainerManagerError when it is nowhere to be found, and for one whose name says a registry that
    it was never pushed to: other engines could not have it.
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
            "where other engines look for it. Push it; `clipper-nomad images build --push` does for this "
            "project's own."
        )
    return image_id
