"""Builds by the engine's builder: a context in, an image out, or an error with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import docker

from clipper_nomad.errors import BuildError
from clipper_nomad.images.engine import EngineError, Progress, hide, read_lines, translated
from clipper_nomad.images.settings import ImageSettings

_LAST_LINES = 20
#: Messages of pip that name a package that it could not install.
_REFUSED = (
    re.compile(r"No matching distribution found for (\S+)"),
    re.compile(r"Invalid requirement: '(.+?)'"),
    re.compile(r"Cannot install (.+?) because these package versions have conflicting dependencies"),
    re.compile(r"(?:Failed to build|Could not build wheels for|Failed building wheel for) '?([\w.\-]+)"),
)
#: Messages of pip that name no package: they are about the last one that it had begun with.
_UNNAMED = ("metadata-generation-failed", "subprocess-exited-with-error", "git clone", "Cannot find command")
_BEGUN = re.compile(r"(?:Collecting|Processing) (\S+)")


@dataclass(frozen=True)
class BuildRequest:
    """The input of a build.

    `tag` is the image's reference, `base` the id of its base image, `advice` a sentence for the user if a
    package cannot be installed.
    """

    tag: str
    base: str
    context: IO[bytes]
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    advice: str = ""


def run_build(
    client: docker.DockerClient, request: BuildRequest, settings: ImageSettings, progress: Progress
) -> str:
    """Build an image and return its id. Raises BuildError with the builder's last lines."""
    secrets = settings.secrets()
    lines: list[str] = []
    try:
        with translated():
            for line in read_lines(_start(client, request, settings)):
                lines.append(hide(line, secrets))
                progress(lines[-1])
            return str(client.images.get(request.tag).id)
    except EngineError as error:
        raise BuildError(_explain(request, hide(str(error), secrets), lines)) from None


def _start(client: docker.DockerClient, request: BuildRequest, settings: ImageSettings) -> Iterable[Any]:
    stream: Iterable[Any] = client.api.build(
        fileobj=request.context,
        custom_context=True,
        tag=request.tag,
        # Docker's own config may set proxies; the settings override them.
        buildargs={**settings.build_args, **settings.pip_args(), **request.args, "BASE_IMAGE": request.base},
        labels=dict(request.labels),
        network_mode=settings.build_network,
        use_config_proxy=True,
        rm=True,
        forcerm=True,
        decode=True,
    )
    return stream


def _explain(request: BuildRequest, error: str, lines: list[str]) -> str:
    refused = find_refused(lines)
    named = f"{refused} could not be installed. {request.advice} ".replace("  ", " ") if refused else ""
    shown = "\n".join([*lines[-_LAST_LINES:], error])
    return f"Could not build image {request.tag}: {named}The builder's last lines:\n{shown}"


def find_refused(lines: Iterable[str]) -> str | None:
    """Return the package that pip could not install, as its output names it; None if it was not that."""
    begun = None
    for line in lines:
        for pattern in _REFUSED:
            if match := pattern.search(line):
                return match[1]
        if any(sign in line for sign in _UNNAMED):
            return begun
        if match := _BEGUN.match(line.strip()):
            begun = match[1]
    return None
