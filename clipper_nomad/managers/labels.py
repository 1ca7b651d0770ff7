"""The names that every manager makes names of its own from: DNS-1123 labels."""

from __future__ import annotations

import re

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.types import ModelVersion

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MAX_LENGTH = 63


def require_label(name: str, what: str, max_length: int = _MAX_LENGTH) -> str:
    """Return `name`. Raises ContainerManagerError unless it is a DNS-1123 label: it becomes part of names."""
    if len(name) > max_length or not _LABEL.fullmatch(name):
        raise ContainerManagerError(
            f"The {what} {name!r} cannot be used: use lower-case letters, digits and inner hyphens only, "
            f"at most {max_length}, as in 'my-model'"
        )
    return name


def require_model(model: ModelVersion) -> None:
    """Raise ContainerManagerError unless a model version's name and version are labels."""
    require_label(model.name, "model name")
    require_label(model.version, "model version")
