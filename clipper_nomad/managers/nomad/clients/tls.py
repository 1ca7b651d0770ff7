"""TLS for `requests` by the rules of Nomad and Consul, rather than those of `requests`."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.clients.access import TLS


class TLSAdapter(HTTPAdapter):
    """Connections by `tls`, whatever a single request sets for `verify` and `cert`.

    Raises ContainerManagerError, naming the variables that start with `prefix` (`NOMAD`, `CONSUL`), if
    certificates cannot be read.
    """

    def __init__(self, tls: TLS, prefix: str) -> None:
        self._tls: dict[str, Any] = {"ssl_context": _make_context(tls, prefix)}
        if tls.server_name:
            self._tls["server_hostname"] = tls.server_name
            if tls.verify:
                self._tls["assert_hostname"] = tls.server_name
        super().__init__()

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave verification to the connection's context."""

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Return the host, and the pool's arguments for our context."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, dict(self._tls)


def _make_context(tls: TLS, prefix: str) -> ssl.SSLContext:
    """Return a context that trusts the given authorities alone, else those of this machine."""
    ca_file = tls.ca_cert or (None if tls.ca_path else os.environ.get("REQUESTS_CA_BUNDLE"))
    try:
        # `cadata` takes a folder's files under any names; `capath` wants names made of hashes.
        context = ssl.create_default_context(cafile=ca_file, cadata=None if ca_file else _read_folder(tls))
        if tls.client_cert:
            context.load_cert_chain(tls.client_cert, tls.client_key)
    except (OSError, ValueError) as error:
        given = {
            "CACERT": tls.ca_cert,
            "CAPATH": tls.ca_path,
            "CLIENT_CERT": tls.client_cert,
            "CLIENT_KEY": tls.client_key,
        }
        named = ", ".join(f"{prefix}_{name}={path}" for name, path in given.items() if path)
        raise ContainerManagerError(
            f"Cannot read certificates ({named or f'no {prefix}_CACERT is set'}): {error}. Set these to "
            "files in PEM format."
        ) from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _read_folder(tls: TLS) -> str | None:
    if not tls.ca_path:
        return None
    files = sorted(each for each in Path(tls.ca_path).iterdir() if each.is_file())
    if not files:
        raise OSError(f"{tls.ca_path} holds no file")
    return "\n".join(each.read_text(encoding="ascii") for each in files)
