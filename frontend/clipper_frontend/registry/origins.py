"""Origins of web pages whose scripts may query an application: `https://host[:port]`, or `*` for all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from clipper_frontend.errors import RegistryRefusal

ANY_ORIGIN: Final = "*"
_MAX_ORIGINS: Final = 100
_MAX_CHARACTERS: Final = 255
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,\\]+")


def parse_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Return origins in the form in which browsers send them; raises RegistryRefusal."""
    if len(origins) > _MAX_ORIGINS:
        raise RegistryRefusal(f"cors_origins has {len(origins)} origins: give at most {_MAX_ORIGINS}")
    return tuple(dict.fromkeys(map(_parse_origin, origins)))


def _parse_origin(text: str) -> str:
    origin = text.lower()
    fits = text.isascii() and len(text) <= _MAX_CHARACTERS and text.isprintable()
    if origin != ANY_ORIGIN and not (fits and _ORIGIN.fullmatch(origin)):
        raise RegistryRefusal(
            f"cors_origins has {text[:_MAX_CHARACTERS]!a}: write https://host, https://host:port or * for all"
        )
    return origin
