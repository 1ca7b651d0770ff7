"""Addresses and credentials of Nomad and Consul, from NOMAD_* and CONSUL_* as HashiCorp's tools read them.

Opens no file and no connection.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, urlsplit

from clipper_nomad.errors import ContainerManagerError

_DEFAULT_NOMAD = "http://127.0.0.1:4646"
_NOMAD_PORT = 4646
_DEFAULT_CONSUL_HOST = "127.0.0.1"
_CONSUL_PORT = 8500
#: The values that Go's strconv.ParseBool takes.
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"", "0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True)
class TLS:
    """The certificates to trust and to present. Paths are as given; `server_name` is the name to expect."""

    ca_cert: str | None = None
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    server_name: str | None = None
    verify: bool = True


@dataclass(frozen=True)
class NomadAccess:
    """The way to Nomad's API. `address` is a URL without a slash at its end."""

    address: str
    namespace: str = "default"
    region: str | None = None
    token: str | None = field(default=None, repr=False)
    http_auth: tuple[str, str] | None = field(default=None, repr=False)
    tls: TLS = TLS()

    @property
    def host(self) -> str:
        """Return the host in the address."""
        return urlsplit(self.address).hostname or ""

    @classmethod
    def from_environment(
        cls,
        nomad_ip: str | None = None,
        *,
        namespace: str | None = None,
        region: str | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> Self:
        """Read NOMAD_*; arguments win.

        `nomad_ip` is a host, `host:port` or a URL; its missing parts (scheme, port) are NOMAD_ADDR's. Raises
        ContainerManagerError that names a value that cannot be parsed.
        """
        namespace = namespace or environment.get("NOMAD_NAMESPACE") or "default"
        if namespace == "*":
            raise ContainerManagerError(
                "NOMAD_NAMESPACE is '*', but a cluster runs in one namespace: set NOMAD_NAMESPACE to that "
                "one, or give it as namespace="
            )
        return cls(
            address=_nomad_address(nomad_ip, environment.get("NOMAD_ADDR") or _DEFAULT_NOMAD),
            namespace=namespace,
            region=region or environment.get("NOMAD_REGION") or None,
            token=environment.get("NOMAD_TOKEN") or None,
            http_auth=_read_auth(environment.get("NOMAD_HTTP_AUTH")),
            tls=TLS(
                ca_cert=environment.get("NOMAD_CACERT") or None,
                ca_path=environment.get("NOMAD_CAPATH") or None,
                client_cert=environment.get("NOMAD_CLIENT_CERT") or None,
                client_key=environment.get("NOMAD_CLIENT_KEY") or None,
                server_name=environment.get("NOMAD_TLS_SERVER_NAME") or None,
                verify=not _read_bool("NOMAD_SKIP_VERIFY", environment),
            ),
        )


@dataclass(frozen=True)
class ConsulAccess:
    """The way to Consul's HTTP API. The token is the text itself, or in a file that is read when needed."""

    host: str = _DEFAULT_CONSUL_HOST
    port: int = _CONSUL_PORT
    scheme: str = "http"
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    http_auth: tuple[str, str] | None = field(default=None, repr=False)
    tls: TLS = TLS()

    @property
    def address(self) -> str:
        """Return the URL, without a slash at its end."""
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"

    @classmethod
    def from_environment(
        cls, default_host: str | None = None, environment: Mapping[str, str] = os.environ
    ) -> Self:
        """Read CONSUL_*; `default_host` is used if CONSUL_HTTP_ADDR is not set.

        Raises ContainerManagerError that names a value that cannot be parsed.
        """
        scheme = "https" if _read_bool("CONSUL_HTTP_SSL", environment) else "http"
        given = environment.get("CONSUL_HTTP_ADDR") or _bracketed(default_host or _DEFAULT_CONSUL_HOST)
        parts = _split("CONSUL_HTTP_ADDR", given, scheme)
        return cls(
            host=parts.hostname or _DEFAULT_CONSUL_HOST,
            port=parts.port or _port_of(given, parts.scheme, _CONSUL_PORT),
            # CONSUL_HTTP_SSL wins over http:// in the address, as it does in Consul's own client.
            scheme="https" if scheme == "https" else parts.scheme,
            token=environment.get("CONSUL_HTTP_TOKEN") or None,
            token_file=environment.get("CONSUL_HTTP_TOKEN_FILE") or None,
            http_auth=_read_auth(environment.get("CONSUL_HTTP_AUTH")),
            tls=TLS(
                ca_cert=environment.get("CONSUL_CACERT") or None,
                ca_path=environment.get("CONSUL_CAPATH") or None,
                client_cert=environment.get("CONSUL_CLIENT_CERT") or None,
                client_key=environment.get("CONSUL_CLIENT_KEY") or None,
                server_name=environment.get("CONSUL_TLS_SERVER_NAME") or None,
                verify=_read_bool("CONSUL_HTTP_SSL_VERIFY", environment, default=True),
            ),
        )


def _nomad_address(nomad_ip: str | None, nomad_addr: str) -> str:
    inherited = _split("NOMAD_ADDR", nomad_addr, "http")
    if not nomad_ip:
        return _join(inherited.scheme, inherited, inherited.port, inherited.path)
    given = _split("nomad_ip", _bracketed(nomad_ip), inherited.scheme)
    if "://" in nomad_ip:
        return _join(given.scheme, given, given.port, given.path)
    return _join(inherited.scheme, given, given.port or inherited.port or _NOMAD_PORT, inherited.path)


def _split(setting: str, text: str, scheme: str) -> SplitResult:
    """Return the parts of an address, whose scheme may be missing."""
    if text.startswith("unix:"):
        raise ContainerManagerError(
            f"{setting} is {text!r}, a Unix socket, which is not supported: set {setting} to an http:// or "
            "https:// address"
        )
    try:
        parts = urlsplit(text if "://" in text else f"{scheme}://{text}")
        is_understood = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_understood = False
    if not is_understood:
        raise ContainerManagerError(
            f"{setting} is {text!r}, which is not an address: give a host, host:port, or a URL such as "
            "https://HOST:PORT"
        )
    return parts


def _join(scheme: str, host: SplitResult, port: int | None, path: str) -> str:
    authority = _bracketed(host.hostname or "") + (f":{port}" if port else "")
    return f"{scheme}://{authority}{path.rstrip('/')}"


def _bracketed(host: str) -> str:
    """Return a bare IPv6 address in brackets, and anything else as it is."""
    is_bare_ipv6 = host.count(":") > 1 and "[" not in host and "/" not in host
    return f"[{host}]" if is_bare_ipv6 else host


def _port_of(given: str, scheme: str, default: int) -> int:
    """Return the port of an address without one: for a URL, that of its scheme."""
    if "://" not in given:
        return default
    return 443 if scheme == "https" else 80


def _read_auth(text: str | None) -> tuple[str, str] | None:
    if not text:
        return None
    user, _, password = text.partition(":")
    return user, password


def _read_bool(name: str, environment: Mapping[str, str], *, default: bool = False) -> bool:
    text = environment.get(name, "")
    if text == "":
        return default
    if text not in _TRUE | _FALSE:
        raise ContainerManagerError(f"{name} is {text!r}, which is not a boolean: set it to true or false")
    return text in _TRUE
