"""Finding images on the engine and in a registry, and pushing them there.

Owns the credentials' way to the engine: Docker's own config and helpers, or those of the settings, which
never end in an image or a message.
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
    """Return the id of an image on this engine, pulled where it is not there yet.

    Raises ContainerManagerError when it is nowhere to be found, saying where it was looked for.
    """
    try:
        return find_image(client, reference) or pull_image(client, reference, settings, progress)
    except EngineError as error:
        raise ContainerManagerError(
            f"Image {reference} is needed and was not found: it is not on this Docker engine, and from "
            f"{_where(reference)} it cannot be pulled ({error}). {_advise(reference, settings)}"
        ) from error


def find_image(client: docker.DockerClient, reference: str) -> str | None:
    """Return the id of an image that is on this engine; None where it is not. Raises EngineError."""
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

    Raises BuildError that says which registry refused it, and why.
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
            f"Cannot push image {reference} to {_where(reference)}: {hide(str(error), settings.secrets())}. "
            "Check the registry's address; for credentials use `docker login`, or give registry_username and "
            "registry_password."
        ) from None
    if not digests:
        raise BuildError(f"Cannot tell what was pushed as {reference}: {_where(reference)} told no digest.")
    return f"{repository}@{digests[-1]}"


def _note_digests(stream: Iterable[Mapping[str, Any]], digests: list[str]) -> Iterator[Mapping[str, Any]]:
    for message in stream:
        if digest := (message.get("aux") or {}).get("Digest"):
            digests.append(str(digest))
        yield message


def _auth(reference: str, settings: ImageSettings) -> dict[str, str] | None:
    """Return the settings' credentials for an image of their registry; None leaves it to Docker's config."""
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
    return f"`clipper-nomad images build{options}` makes it; another registry is one setting, `registry`."
