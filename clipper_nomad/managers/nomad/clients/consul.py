"""Consul's HTTP API: passing instances, failing checks, and the tags of all services.

Reads only, through py-consul; settings that py-consul does not have are made on its session.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import consul
import requests
import urllib3

from clipper_container.addresses import HostPort
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.clients.access import ConsulAccess
from clipper_nomad.managers.nomad.clients.tls import TLSAdapter

_TIMEOUT_S = 5.0
_DEFAULT_POLICY = "X-Consul-Default-ACL-Policy"
#: Consul sends this header only to requests with a token.
_FILTERED = "X-Consul-Results-Filtered-By-ACLs"
_NEEDED = "a token whose policy has read for service_prefix and node_prefix"
#: Responses of something other than Consul may be whole pages.
_MAX_DETAIL_LENGTH = 300


class ConsulUnreachableError(ContainerManagerError):
    """No Consul answered."""


@dataclass(frozen=True)
class FailingInstance:
    """An instance of a service, and the names of its failing checks.

    `output` is the first check's output when it began to fail; empty if it has failed from the start.
    """

    address: HostPort
    checks: tuple[str, ...]
    output: str


class ConsulCatalog:
    """Consul's catalog over HTTP. `timeout_s` limits connecting, and each wait for a response."""

    def __init__(
        self, access: ConsulAccess, *, datacenter: str | None = None, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self._access = access
        self._datacenter = datacenter
        self._timeout_s = timeout_s

    def passing(self, service: str) -> list[HostPort]:
        """Return the addresses of the instances whose checks all pass, sorted.

        Raises ContainerManagerError if Consul cannot be reached, or its ACLs hide the answer.
        """
        entries = self._ask(
            f"the instances of {service!r}", lambda client: client.health.service(service, passing=True)
        )
        return sorted(
            {_address(entry) for entry in entries}, key=lambda address: (address.host, address.port)
        )

    def failing(self, service: str, meta: Mapping[str, str]) -> list[FailingInstance]:
        """Return a service's instances with all of `meta` that fail a check, sorted by address.

        Raises ContainerManagerError if Consul cannot be reached, or its ACLs hide the answer.
        """
        entries = self._ask(f"the checks of {service!r}", lambda client: client.health.service(service))
        found = []
        for entry in entries:
            checks = [each for each in entry["Checks"] if each["Status"] != "passing"]
            if checks and meta.items() <= (entry["Service"].get("Meta") or {}).items():
                names = tuple(sorted(each["Name"] for each in checks))
                output = next((each["Output"] for each in checks if each["Output"]), "")
                found.append(FailingInstance(_address(entry), names, " ".join(output.split())))
        return sorted(found, key=lambda each: (each.address.host, each.address.port))

    def service_tags(self) -> dict[str, tuple[str, ...]]:
        """Return the tags of every visible service, passing or not, by the service's name.

        Raises ContainerManagerError if Consul cannot be reached, or its ACLs hide the answer.
        """
        found: Mapping[str, list[str]] = self._ask(
            "the services and their tags", lambda client: client.catalog.services()
        )
        return {name: tuple(tags) for name, tags in found.items()}

    def _ask(self, what: str, question: Callable[[Any], tuple[str, Any]]) -> Any:
        """Return the answer; raise if it is empty because ACLs hide everything."""
        with self._translated(what), self._open() as client:
            headers: dict[str, str] = {}
            client.http.session.hooks["response"].append(
                lambda response, **_: headers.update({k.lower(): v for k, v in response.headers.items()})
            )
            _, found = question(client)
            if not found and self._sees_nothing(client, headers):
                raise consul.ACLPermissionDenied("ACLs hide the answer")
            return found

    def _sees_nothing(self, client: Any, headers: Mapping[str, str]) -> bool:
        """Return whether an answer is empty because of ACLs: Consul hides what a token may not read."""
        if headers.get(_FILTERED.lower()) == "true":
            return True
        if client.token or headers.get(_DEFAULT_POLICY.lower()) != "deny":
            return False
        # Consul lists its own servers as a service, visible to all that may read services at large.
        _, services = client.catalog.services()
        return not services

    @contextmanager
    def _open(self) -> Iterator[Any]:
        access = self._access
        client = consul.Consul(
            f"[{access.host}]" if ":" in access.host else access.host,
            access.port,
            scheme=access.scheme,
            dc=self._datacenter,
            connections_timeout=self._timeout_s,
        )
        # The client would prefer a token in the environment to its argument.
        client.token = self._token()
        session: requests.Session = client.http.session
        with session:
            # As Go's tools do: no proxy for this machine itself, the environment's proxies for others.
            session.trust_env = not is_loopback(access.host)
            if access.http_auth:
                session.auth = access.http_auth
            if access.scheme == "https":
                session.mount("https://", TLSAdapter(access.tls, "CONSUL"))
            yield client

    def _token(self) -> str | None:
        """Return the token; one in a file wins, as in Consul's own client."""
        path = self._access.token_file
        if path is None:
            return self._access.token
        try:
            return Path(path).read_text().strip() or self._access.token
        except (OSError, UnicodeDecodeError) as error:
            raise ContainerManagerError(
                f"Cannot read Consul's token: CONSUL_HTTP_TOKEN_FILE is {path!r} ({error}). Set it to a file "
                "that holds the token, or set CONSUL_HTTP_TOKEN."
            ) from error

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        asked = f"Cannot ask Consul at {self._access.address} for {what}"
        try:
            yield
        except consul.ACLPermissionDenied as error:
            has_token = self._access.token or self._access.token_file
            problem = (
                "its ACLs refuse the token given" if has_token else "its ACLs are on, and no token is set"
            )
            raise ContainerManagerError(
                f"{asked}: {problem} ({_detail(error)}). Set CONSUL_HTTP_TOKEN to {_NEEDED}."
            ) from error
        except requests.exceptions.SSLError as error:
            raise ConsulUnreachableError(
                f"{asked}: TLS failed ({_detail(error)}). Set CONSUL_CACERT to the authority that signed its "
                "certificate, CONSUL_TLS_SERVER_NAME to the name in it, and CONSUL_CLIENT_CERT and "
                "CONSUL_CLIENT_KEY where it asks for one; or use http:// in CONSUL_HTTP_ADDR."
            ) from error
        except consul.ConsulException as error:
            is_tls = "HTTP request to an HTTPS server" in str(error)
            advice = " Set CONSUL_HTTP_SSL=true: it speaks HTTPS." if is_tls else ""
            raise ConsulUnreachableError(f"{asked}: {_detail(error)}.{advice}") from error
        except (requests.RequestException, OSError) as error:
            raise ConsulUnreachableError(
                f"{asked}: {_detail(error)}. Set CONSUL_HTTP_ADDR to the address of a Consul agent."
            ) from error


def _address(entry: Mapping[str, Any]) -> HostPort:
    """Return an instance's address: its own, else its node's."""
    service = entry["Service"]
    return HostPort(service["Address"] or entry["Node"]["Address"], service["Port"])


def is_loopback(host: str) -> bool:
    """Return whether `host` is the local machine, on whichever machine that is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def _detail(error: BaseException) -> str:
    """Return an error's text in one line: of a failed request, the text of the innermost cause."""
    while isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError)):
        cause = error.__cause__ or error.__context__
        if cause is None:
            break
        error = cause
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MAX_DETAIL_LENGTH else f"{text[:_MAX_DETAIL_LENGTH]}…"
