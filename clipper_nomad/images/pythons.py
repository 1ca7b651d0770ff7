"""Which Python an image has, asked before anything is built on it.

Owns the question and its errors. A model is unpickled by the minor version that pickled it, so a wrong one is
found here and not by a replica that does not start.
"""

from __future__ import annotations

from collections.abc import Mapping

import docker
import docker.errors

from clipper_nomad.errors import BuildError
from clipper_nomad.images.engine import EngineError, Progress, translated
from clipper_nomad.images.registries import find_image, pull_image
from clipper_nomad.images.settings import ImageSettings

#: The label by which the Python runtime, and what starts from it, tells its Python's minor version.
RUNTIME_LABEL = "clipper-nomad.runtime.python"

_SCRIPT = "import sys; print('%d.%d' % sys.version_info[:2])"


def require_base(client: docker.DockerClient, settings: ImageSettings, progress: Progress) -> str:
    """Return the id of the image that this project's images start from.

    Raises BuildError when it cannot be had, or has another Python than the settings ask for.
    """
    reference, wanted = settings.component_base, settings.python_version
    try:
        image_id = find_image(client, reference) or pull_image(client, reference, settings, progress)
        found = _ask(client, image_id)
    except EngineError as error:
        raise BuildError(
            f"Cannot build images with Python {wanted}: their base image {reference} is not on this Docker "
            f"engine, and cannot be had ({error}). Name one that can with --base-image (base_image)."
        ) from error
    if found != wanted:
        raise BuildError(
            f"Cannot build images with Python {wanted}: their base image {reference} has "
            f"{f'Python {found}' if found else 'no python3'}. Name one that has it with --base-image "
            "(base_image), or another version with --python-version."
        )
    return image_id


def runtime_python(client: docker.DockerClient, image_id: str) -> str | None:
    """Return the minor version of the Python runtime that is in an image; None where it is not in it."""
    with translated():
        labels: Mapping[str, str] = client.images.get(image_id).labels
        return labels.get(RUNTIME_LABEL)


def _ask(client: docker.DockerClient, image_id: str) -> str | None:
    with translated():
        try:
            output = client.containers.run(
                image_id,
                ["python3", "-c", _SCRIPT],
                entrypoint="",
                network_mode="none",
                remove=True,
            )
        except (docker.errors.ContainerError, docker.errors.APIError):
            # There is no python3 to be run, or it is none.
            return None
        return bytes(output).decode().strip()
