"""The rules for names: keys made of them can be taken apart again, and a URL's path names one application.

A name is what it looks like: printable, without a space at either end, and in Unicode's normal form NFC. The
rules hold for what is added. What a registry has under other names can still be read and deleted.
"""

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
#: More of a refused text is in no message.
_MAX_SHOWN = 60


def check_name(kind: str, name: str) -> None:
    """Raise RegistryRefusal unless `name` can name a `kind` (application, model, version)."""
    _check_text(kind, name)
    if not name:
        raise RegistryRefusal(f"Invalid {kind} '': it must not be empty")
    if "/" in name or name in (".", ".."):
        raise RegistryRefusal(f"Invalid {kind} {_shown(name)}: it must not contain '/' nor be '.' or '..'")
    if name != name.strip():
        raise RegistryRefusal(f"Invalid {kind} {_shown(name)}: it must not begin or end with a space")
    normal = unicodedata.normalize("NFC", name)
    if name != normal:
        raise RegistryRefusal(
            f"Invalid {kind} {name[:_MAX_SHOWN]!a}: write it in Unicode's normal form NFC, as "
            f"{normal[:_MAX_SHOWN]!a}"
        )


def check_application_name(name: str) -> None:
    """Raise RegistryRefusal unless `name` can name an application."""
    check_name("application name", name)
    if name in RESERVED_APPLICATION_NAMES:
        reserved = ", ".join(sorted(RESERVED_APPLICATION_NAMES))
        raise RegistryRefusal(f"Invalid application name {name!r}: the names {reserved} are reserved")


def check_label(label: str) -> None:
    """Raise RegistryRefusal unless `label` can be one label of a model version."""
    _check_text("label", label)


def shown_versions(versions: Sequence[str]) -> str:
    """Return versions for a message, which stays short however many there are."""
    shown = ", ".join(versions[:MAX_SHOWN_VERSIONS])
    return f"{shown} …" if len(versions) > MAX_SHOWN_VERSIONS else shown


def check_id(kind: str, text: str) -> None:
    """Raise RegistryRefusal unless `text` can be the id of a `kind` (instance, cluster); it may be empty."""
    _check_printable(kind, text)


def _check_text(kind: str, text: str) -> None:
    if any(separator in text for separator in _SEPARATORS):
        raise RegistryRefusal(f"Invalid {kind} {_shown(text)}: it must not contain ':' or ','")
    _check_printable(kind, text)


def _check_printable(kind: str, text: str) -> None:
    # The characters are looked at one by one, so the length comes first.
    if len(text) > MAX_NAME_BYTES or len(text.encode(errors="surrogatepass")) > MAX_NAME_BYTES:
        raise RegistryRefusal(
            f"Invalid {kind} {_shown(text)}: it must be at most {MAX_NAME_BYTES} bytes long"
        )
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise RegistryRefusal(f"Invalid {kind} {_shown(text)}: it must not contain control characters")
    if not text.isprintable():
        raise RegistryRefusal(
            f"Invalid {kind} {_shown(text)}: it must not contain characters that cannot be seen"
        )


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]!r}…"
