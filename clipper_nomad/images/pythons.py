"""Python versions of base images, checked before anything is built on them.

A model is unpickled by the minor version that pickled it, so a wrong one is refused before a replica fails.
"""

from __future__ import annotations

from collections.abc import Mapping

import docker
import docker.errors

from clipper_nomad.errors import BuildError
from clipper_nomad.images.engine import EngineError, Progress, translated
from clipper_nomad.images.registries import find_image, pull_image
from clipper_nomad.images.settings import ImageSettings

#: The label with the minor version of Python, on the Python runtime and all images that start from it.
RUNTIME_LABEL = "clipper-nomad.runtime.python"

_SCRIPT = "import sys; print('%d.%d' % sys.version_info[:2])"


def require_base(client: docker.DockerClient, settings: ImageSettings, progress: Progress) -> str:
    """Return the id of the image that this project's images start from.

    Raises BuildError if it cannot be found, or its Python differs from the settings'.
    """
    reference, wanted = settings.component_base, settings.python_version
    try:
        image_id = find_image(client, reference) or pull_image(client, reference, settings, progress)
        found = ask_python(client, image_id)
    except EngineError as error:
        raise BuildError(
            f"Could not build images with Python {wanted}: their base image {reference} is not on this "
            f"Docker engine, and could not be pulled ({error}). Name another with --base-image (base_image)."
        ) from error
    if found != wanted:
        raise BuildError(
            f"Could not build images with Python {wanted}: their base image {reference} has "
            f"{f'Python {found}' if found else 'no python3'}. Name one that has it with --base-image "
            "(base_image), or another version with --python-version."
        )
    return image_id


def runtime_python(client: docker.DockerClient, image_id: str) -> str | None:
    """Return the minor version of the Python runtime that is in an image; None if there is none."""
    with translated():
        labels: Mapping[str, str] = client.images.get(image_id).labels
        return labels.get(RUNTIME_LABEL)


def ask_python(client: docker.DockerClient, image_id: str) -> str | None:
    """Return the minor version of `python3` in an image, which runs for it; None if there is none."""
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
            # There is no python3, or it is not Python.
            return None
        return bytes(output).decode().strip()
