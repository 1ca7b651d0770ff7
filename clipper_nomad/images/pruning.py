"""Images of models on the engine that no version of their cluster needs any more."""

from __future__ import annotations

from collections.abc import Collection

import docker
import docker.errors

from clipper_nomad.images.engine import EngineError, translated
from clipper_nomad.types import UnusedImage

#: The label of a model's image: the cluster that it was built for.
CLUSTER_LABEL = "clipper-nomad.built-for"


def prune_model_images(
    client: docker.DockerClient, cluster_name: str, used: Collection[str], *, dry_run: bool
) -> list[UnusedImage]:
    """Remove the images built for a cluster's models that no container was made of, but for those in `used`.

    `used` are ids, references by digest, or tags. Returns the removed ones; with `dry_run` none is removed.
    An image that another image is built on stays.
    """
    with translated():
        images = client.images.list(filters={"label": f"{CLUSTER_LABEL}={cluster_name}"})
        in_containers = {
            each.attrs["Image"] for each in client.containers.list(all=True, ignore_removed=True)
        }
    found = []
    for image in images:
        names = {image.id, *image.tags, *image.attrs.get("RepoDigests", ())}
        if image.id in in_containers or names & set(used):
            continue
        if dry_run or _remove(client, image.id):
            found.append(UnusedImage((image.tags or [image.id])[0], image.attrs["Size"]))
    return found


def _remove(client: docker.DockerClient, image_id: str) -> bool:
    try:
        with translated():
            client.images.remove(image_id, force=True)
    except EngineError as error:
        if "has dependent child images" in str(error):
            return False
        raise
    return True
