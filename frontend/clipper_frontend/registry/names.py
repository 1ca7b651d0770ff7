"""The rules for names: keys made of them can be taken apart again, and a URL's path names one application."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from clipper_frontend.errors import RegistryRefusal

MAX_NAME_BYTES = 255
#: Messages name this many versions of a model.
MAX_SHOWN_VERSIONS = 10

#: The query frontend's own paths begin with these.
RESERVED_APPLICATION_NAMES = frozenset({"admin", "health", "metrics"})

_SEPARATORS = ":,"


def check_name(kind: str, name: str) -> None:
    """Raise RegistryRefusal unless `name` can name a `kind` (application, model, version)."""
    _check_text(kind, name)
    if not name:
        raise RegistryRefusal(f"Invalid {kind} '': it must not be empty")
    if "/" in name or name in (".", ".."):
        raise RegistryRefusal(f"Invalid {kind} {name!r}: it must not contain '/' nor be '.' or '..'")


def check_application_name(name: str) -> None:
    """Raise RegistryRefusal unless `name` can name an application."""
    check_name("application name", name)
    if name in RESERVED_APPLICATION_NAMES:
        reserved = ", ".join(sorted(RESERVED_APPLICATION_NAMES))
        raise RegistryRefusal(f"Invalid application name {name!r}: the names {reserved} are reserved")


def shown_versions(versions: Sequence[str]) -> str:
    """Return versions for a message, which stays short however many there are."""
    shown = ", ".join(versions[:MAX_SHOWN_VERSIONS])
    return f"{shown} …" if len(versions) > MAX_SHOWN_VERSIONS else shown


def check_label(label: str) -> None:
    """Raise RegistryRefusal unless `label` can be one label of a model version."""
    _check_text("label", label)


def _check_text(kind: str, text: str) -> None:
    if any(separator in text for separator in _SEPARATORS):
        raise RegistryRefusal(f"Invalid {kind} {text!r}: it must not contain ':' or ','")
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise RegistryRefusal(f"Invalid {kind} {text!r}: it must not contain control characters")
    if len(text.encode()) > MAX_NAME_BYTES:
        raise RegistryRefusal(
            f"Invalid {kind} {text[:20]!r}…: it must be at most {MAX_NAME_BYTES} bytes long"
        )
