"""What the engine says while it builds, pushes and pulls, and how its failures are told.

Owns the client's making, the reading of the engine's streams, and the hiding of secrets. Knows nothing of
what is built.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
import docker.errors
import requests
import urllib3

from clipper_nomad.errors import ContainerManagerError

logger = logging.getLogger("clipper")

#: Is told, line by line, what is going on.
Progress = Callable[[str], None]

#: What the client and the libraries below it raise.
ENGINE_ERRORS = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)
# The engine may be silent for minutes while it writes a large layer.
_TIMEOUT_S = 600
_HIDDEN = "****"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What the builder says of itself at every step, and pip of what is there.
_NOISE = (" --->", "Removing intermediate container", "Requirement already satisfied")


class EngineError(ContainerManagerError):
    """The engine refused or failed; its words are the message."""


def connect_engine() -> docker.DockerClient:
    """Return a client of the engine of DOCKER_HOST, else of this machine's. Raises ContainerManagerError."""
    try:
        client = docker.from_env(timeout=_TIMEOUT_S)
        client.ping()
    except ENGINE_ERRORS as error:
        raise ContainerManagerError(
            f"There is no Docker engine that answers ({explain(error)}): start Docker, or say where it is "
            "with DOCKER_HOST."
        ) from error
    return client


def log_progress(line: str) -> None:
    """Tell the library's logger."""
    logger.log(logging.DEBUG if is_noise(line) else logging.INFO, "%s", line)


def is_noise(line: str) -> bool:
    """Tell whether a line of progress is of use only to who looks for a fault."""
    return line.startswith(_NOISE)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the client raises into EngineError."""
    try:
        yield
    except ENGINE_ERRORS as error:
        raise EngineError(explain(error)) from error


def explain(error: Exception) -> str:
    """Return what an error of the client says, in the engine's words where it spoke."""
    if isinstance(error, docker.errors.APIError) and error.explanation:
        return str(error.explanation)
    return str(error) or type(error).__name__


def read_lines(stream: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the engine's messages as lines, each layer's state once. Raises EngineError for an error."""
    told: dict[str, str] = {}
    error = None
    for message in stream:
        if "error" in message:
            # Read on to the end, so that the connection is free again.
            error = str(message["error"]).strip()
        elif "stream" in message:
            yield from filter(str.strip, _COLOURS.sub("", str(message["stream"])).splitlines())
        elif status := message.get("status"):
            layer = str(message.get("id", ""))
            if told.get(layer) != status:
                told[layer] = status
                yield f"{layer}: {status}" if layer else str(status)
    if error is not None:
        raise EngineError(error)


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text
