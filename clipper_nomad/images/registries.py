"""Image look-ups on the engine and in registries, pulls and pushes.

Credentials are those of Docker's config and helpers, or of the settings; they end in no image or message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import docker
import docker.errors

from clipper_nomad.errors import BuildError, ContainerManagerError
from clipper_nomad.images.engine import (
    EngineError,
    Progress,
    hide,
    log_progress,
    read_lines,
    translated,
)
from clipper_nomad.images.names import COMPONENTS, component_image, registry_of, split_reference
from clipper_nomad.images.settings import ImageSettings


def resolve_image(
    client: docker.DockerClient,
    reference: str,
    settings: ImageSettings,
    progress: Progress = log_progress,
) -> str:
    """Return the id of an image, pulled if it is not on this engine yet.

    Raises ContainerManagerError if it cannot be found, naming the places searched.
    """
    try:
        return find_image(client, reference) or pull_image(client, reference, settings, progress)
    except EngineError as error:
        raise ContainerManagerError(
            f"Could not find image {reference}: it is not on this Docker engine, and could not be pulled "
            f"from {_where(reference)} ({error}). {_advise(reference, settings)}"
        ) from error


def find_image(client: docker.DockerClient, reference: str) -> str | None:
    """Return the id of an image that is on this engine; None if it is not. Raises EngineError."""
    with translated():
        try:
            return str(client.images.get(reference).id)
        except docker.errors.ImageNotFound:
            return None


def pull_image(
    client: docker.DockerClient, reference: str, settings: ImageSettings, progress: Progress
) -> str:
    """Pull an image and return its id. Raises EngineError."""
    progress(f"Pulling {reference}")
    repository, tag = (reference, None) if "@" in reference else split_reference(reference)
    try:
        with translated():
            auth = _auth(reference, settings)
            stream = client.api.pull(repository, tag, stream=True, decode=True, auth_config=auth)
            for line in read_lines(stream):
                progress(line)
            return str(client.images.get(reference).id)
    except EngineError as error:
        raise EngineError(hide(str(error), settings.secrets())) from None


def push_image(
    client: docker.DockerClient, reference: str, settings: ImageSettings, progress: Progress = log_progress
) -> str:
    """Push an image to the registry that its reference names, and return `repository@digest`.

    Raises BuildError with the registry and its reason.
    """
    progress(f"Pushing {reference}")
    repository, tag = split_reference(reference)
    digests: list[str] = []
    try:
        with translated():
            auth = _auth(reference, settings)
            stream = client.api.push(repository, tag, stream=True, decode=True, auth_config=auth)
            for line in read_lines(_note_digests(stream, digests)):
                progress(line)
    except EngineError as error:
        raise BuildError(
            f"Could not push image {reference} to {_where(reference)}: "
            f"{hide(str(error), settings.secrets())}. Check the registry's address; for "
            "credentials use `docker login`, or give registry_username and registry_password."
        ) from None
    if not digests:
        raise BuildError(
            f"Could not read the digest of image {reference}: {_where(reference)} gave none. Push it again."
        )
    return f"{repository}@{digests[-1]}"


def _note_digests(stream: Iterable[Mapping[str, Any]], digests: list[str]) -> Iterator[Mapping[str, Any]]:
    for message in stream:
        if digest := (message.get("aux") or {}).get("Digest"):
            digests.append(str(digest))
        yield message


def _auth(reference: str, settings: ImageSettings) -> dict[str, str] | None:
    """Return the settings' credentials for an image of their registry; None means Docker's config."""
    own = settings.registry.partition("/")[0] if settings.registry else None
    return settings.auth_config if registry_of(reference) == own else None


def _where(reference: str) -> str:
    registry = registry_of(reference)
    return f"registry {registry}" if registry else "the public registry"


def _advise(reference: str, settings: ImageSettings) -> str:
    if reference not in [component_image(component, settings) for component in COMPONENTS]:
        return "Build or push it there, or name another."
    options = f" --registry {settings.registry} --push" if settings.registry else ""
    if settings.python_version != ImageSettings().python_version:
        options += f" --python-version {settings.python_version}"
    return (
        f"`clipper-nomad images build{options}` builds it; the setting `registry` chooses another registry."
    )
