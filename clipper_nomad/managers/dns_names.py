"""The check of the names from which managers make names of their own: DNS-1123 labels."""

from __future__ import annotations

import re

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.types import ModelVersion

_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MAX_LENGTH = 63


def require_dns_name(name: str, what: str, max_length: int = _MAX_LENGTH) -> str:
    """Return `name`. Raises ContainerManagerError unless it is a DNS-1123 label: it becomes part of names."""
    if len(name) > max_length or not _DNS_NAME.fullmatch(name):
        raise ContainerManagerError(
            f"The {what} {name!r} cannot be used: use lower-case letters, digits and inner hyphens only, "
            f"at most {max_length}, as in 'my-model'"
        )
    return name


def require_model_names(model: ModelVersion) -> None:
    """Raise ContainerManagerError unless a model version's name and version are DNS-1123 labels."""
    require_dns_name(model.name, "model name")
    require_dns_name(model.version, "model version")
