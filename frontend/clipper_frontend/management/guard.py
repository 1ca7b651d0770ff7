"""The guard of the admin calls: it refuses what a web page makes a browser send. Pure.

Whoever reaches the port may administer, but a page that an administrator looks at must not. A browser names
the page in Origin or Sec-Fetch-Site, and a page under an attacker's name that was pointed to this address
(DNS rebinding) shows in Host. Programs send neither of the first two, and any JSON is read from them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_SETTING: Final = "--allowed-hosts (CLIPPER_ALLOWED_HOSTS)"
#: A browser's own requests, and those of a page from here.
_TRUSTED_SITES: Final = frozenset({"none", "same-origin"})
_ALWAYS_ALLOWED: Final = ("localhost", "*.localhost", "*.consul")
_MAX_SHOWN: Final = 100


class Refusal(NamedTuple):
    """The answer to a request that is not let in."""

    status: int
    text: str


class Guard:
    """Lets requests in by their headers. `own_names` are the host's, `allowed` the administrator's.

    An allowed host `*.example.com` stands for all names below it, and `*` for all.
    """

    def __init__(self, own_names: Iterable[str] = (), allowed: Iterable[str] = ()) -> None:
        self._allowed = tuple(map(_normal, allowed))
        self._hosts = (*_ALWAYS_ALLOWED, *map(_normal, own_names), *self._allowed)

    def refusal(self, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a request is not let in, or None if it is."""
        host = headers.get("Host", "")
        if host and not self._is_host(_name_of(host)):
            return Refusal(
                421,
                f"The Host {_shown(host)} is no name of this service: ask for it by an IP address, or list "
                f"the name in {_SETTING} of the management frontend",
            )
        origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
        if origin is not None and not self._is_own(origin, host):
            return Refusal(
                403,
                f"A web page of {_shown(origin)} may not administer this cluster. If it is yours, list its "
                f"host in {_SETTING} of the management frontend",
            )
        if origin is None and site is not None and site not in _TRUSTED_SITES:
            return Refusal(
                403, f"A web page of another site ({_shown(site)}) may not administer this cluster"
            )
        return self._refusal_of_type(headers) if (origin or site) is not None else None

    def _refusal_of_type(self, headers: Mapping[str, str]) -> Refusal | None:
        """Refuse bodies that a page may send anywhere without being asked: forms, and plain text."""
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        has_body = headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in headers
        if has_body and kind != "application/json":
            return Refusal(415, f"A browser must send Content-Type application/json, not {_shown(kind)}")
        return None

    def _is_host(self, name: str) -> bool:
        return _is_address(name) or any(_matches(name, pattern) for pattern in self._hosts)

    def _is_own(self, origin: str, host: str) -> bool:
        if origin.partition("://")[2].lower() == host.lower() != "":
            return True
        # Behind a proxy the browser knows another name than the one asked for here.
        name = _name_of(origin.partition("://")[2])
        return bool(name) and any(_matches(name, pattern) for pattern in self._allowed)


def parse_hosts(text: str) -> tuple[str, ...]:
    """Return the hosts of a list with commas; raises ValueError for one that is no host."""
    hosts = tuple(filter(None, map(str.strip, text.split(","))))
    for host in hosts:
        if not host.isprintable() or set(host) & set("/ @?#") or "*" in host[1:]:
            raise ValueError(
                f"{host!r} is not a host: use names, *.names, or * for all, without a port or path"
            )
    return hosts


def _matches(name: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return pattern in ("*", name)


def _name_of(host: str) -> str:
    """Return the name in a host with or without a port; empty if it is malformed."""
    try:
        return _normal(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return ""


def _normal(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    return ascii(text[:_MAX_SHOWN])
