"""The Docker engine's client, its progress messages and its errors, without secrets."""

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

#: Receives the progress, line by line.
Progress = Callable[[str], None]

#: Exceptions of the client and the libraries below it.
ENGINE_ERRORS = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)
#: The engine may be silent for minutes while it writes a large layer.
_TIMEOUT_S = 600
_HIDDEN = "****"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
#: Starts of the lines that the builder writes at every step, and pip for every package that is there.
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
            f"Could not reach a Docker engine ({explain(error)}): start Docker, or set DOCKER_HOST to its "
            "address."
        ) from error
    return client


def log_progress(line: str) -> None:
    """Log a line of progress."""
    logger.log(logging.DEBUG if is_noise(line) else logging.INFO, "%s", line)


def is_noise(line: str) -> bool:
    """Return whether a line of progress is only of use when looking for a fault."""
    return line.startswith(_NOISE)


@contextmanager
def translated() -> Iterator[None]:
    """Turn exceptions of the client into EngineError."""
    try:
        yield
    except ENGINE_ERRORS as error:
        raise EngineError(explain(error)) from error


def explain(error: Exception) -> str:
    """Return the text of a client's error, in the engine's words if there are any."""
    if isinstance(error, docker.errors.APIError) and error.explanation:
        return str(error.explanation)
    return str(error) or type(error).__name__


def read_lines(stream: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the engine's messages as lines, each layer's state once. Raises EngineError for an error."""
    seen: dict[str, str] = {}
    error = None
    for message in stream:
        if "error" in message:
            # Read on to the end, so that the connection is free again.
            error = str(message["error"]).strip()
        elif "stream" in message:
            yield from filter(str.strip, _COLOURS.sub("", str(message["stream"])).splitlines())
        elif status := message.get("status"):
            layer = str(message.get("id", ""))
            if seen.get(layer) != status:
                seen[layer] = status
                yield f"{layer}: {status}" if layer else str(status)
    if error is not None:
        raise EngineError(error)


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text
