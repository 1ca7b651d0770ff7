"""Settings of images: their registry, base and builds, given or taken from the environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from clipper_nomad.errors import ClipperException

_PYTHON_VERSION = re.compile(r"3\.\d+")
_REGISTRY = re.compile(r"[A-Za-z0-9.\-_]+(:\d+)?(/[a-z0-9._\-]+)*|\[[0-9a-fA-F:]+\](:\d+)?(/[a-z0-9._\-]+)*")


def _own_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class ImageSettings:
    """The settings by which images are named, built, pushed and pulled.

    `registry` (`host[:port][/path]`) holds this project's images and the models' alike; None is this engine
    and the public registry. `base_image` is what this project's images start from. `python_version` is `3.11`
    for example, by default this process's: a model is unpickled by the minor version that pickled it.

    `index_url`, `extra_index_urls` and the index's credentials reach pip in a build, and no image.
    `ca_certificates` are PEM files that pip trusts as well. `build_network` is the engine's network for
    builds (such as `host`), `build_args` are build arguments such as `HTTPS_PROXY`.

    Without `registry_username` and `registry_password`, Docker's own config and credential helpers are asked.
    """

    registry: str | None = None
    base_image: str | None = None
    python_version: str = field(default_factory=_own_python)
    build_network: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict, repr=False)
    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    index_username: str | None = None
    index_password: str | None = field(default=None, repr=False)
    ca_certificates: tuple[Path, ...] = ()
    registry_username: str | None = None
    registry_password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not _PYTHON_VERSION.fullmatch(self.python_version):
            raise ClipperException(
                f"python_version is {self.python_version!r}: use a minor version, such as '3.11'."
            )
        if self.registry is not None and not _REGISTRY.fullmatch(self.registry):
            raise ClipperException(
                f"registry is {self.registry!r}: use host[:port][/path], without a scheme."
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ImageSettings:
        """Take the settings from CLIPPER_REGISTRY, CLIPPER_BASE_IMAGE, CLIPPER_BUILD_NETWORK and so on.

        CLIPPER_BUILD_ARGS and CLIPPER_EXTRA_INDEX_URLS are separated by spaces (`A=1 B=2`),
        CLIPPER_CA_CERTIFICATES as paths are in PATH. An empty variable counts as unset.
        """
        given = {
            key.removeprefix("CLIPPER_"): value
            for key, value in environment.items()
            if value and key.startswith("CLIPPER_")
        }
        build_args = (pair.partition("=") for pair in given.get("BUILD_ARGS", "").split())
        return cls(
            registry=given.get("REGISTRY"),
            base_image=given.get("BASE_IMAGE"),
            python_version=given.get("PYTHON_VERSION") or _own_python(),
            build_network=given.get("BUILD_NETWORK"),
            build_args={name: value for name, _, value in build_args},
            index_url=given.get("INDEX_URL"),
            extra_index_urls=tuple(given.get("EXTRA_INDEX_URLS", "").split()),
            index_username=given.get("INDEX_USERNAME"),
            index_password=given.get("INDEX_PASSWORD"),
            ca_certificates=tuple(
                Path(path) for path in given.get("CA_CERTIFICATES", "").split(os.pathsep) if path
            ),
            registry_username=given.get("REGISTRY_USERNAME"),
            registry_password=given.get("REGISTRY_PASSWORD"),
        )

    @property
    def component_base(self) -> str:
        """Return the image that this project's images start from."""
        return self.base_image or f"python:{self.python_version}-slim-bookworm"

    @property
    def auth_config(self) -> dict[str, str] | None:
        """Return the registry's credentials as the engine takes them; None leaves them to Docker's config."""
        if self.registry_username is None or self.registry_password is None:
            return None
        return {"username": self.registry_username, "password": self.registry_password}

    def pip_args(self) -> dict[str, str]:
        """Return the build arguments that give pip its index, with credentials."""
        args = {}
        if self.index_url:
            args["PIP_INDEX_URL"] = self._with_credentials(self.index_url)
        if self.extra_index_urls:
            args["PIP_EXTRA_INDEX_URL"] = " ".join(self.extra_index_urls)
        return args

    def secrets(self) -> tuple[str, ...]:
        """Return all secrets, which no log and no message may hold, longest first."""
        given = {self.index_password, self.registry_password}
        found = given | {quote(password, safe="") for password in given if password}
        for url in (self.index_url, *self.extra_index_urls, *self.build_args.values()):
            password = urlsplit(url).password if url and "://" in url else None
            found |= {password, unquote(password)} if password else set()
        return tuple(sorted(filter(None, found), key=len, reverse=True))

    def _with_credentials(self, url: str) -> str:
        if self.index_username is None:
            return url
        parts = urlsplit(url)
        password = "" if self.index_password is None else f":{quote(self.index_password, safe='')}"
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{quote(self.index_username, safe='')}{password}@{host}").geturl()
