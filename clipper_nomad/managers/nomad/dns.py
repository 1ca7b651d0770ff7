"""A cluster's services by their names in Consul: DNS first, then Consul's HTTP API.

The HTTP API is for machines whose resolver does not know Consul.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Protocol, Self

import dns.name
from dns.message import Message
from dns.rdatatype import SOA
from dns.resolver import NXDOMAIN, NoAnswer

from clipper_container.addresses import AddressError, HostPort, SrvName, parse_address, resolve
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.clients.access import ConsulAccess
from clipper_nomad.managers.nomad.clients.consul import ConsulCatalog, ConsulUnreachableError, is_loopback

_DNS_PORT = 53


class DNS(Protocol):
    """The addresses of services, for this machine and for containers."""

    def lookup(self, service: str) -> list[HostPort]:
        """Return the addresses of the service's passing instances, sorted.

        Raises ContainerManagerError if the lookup fails.
        """

    def srv_address(self, service: str) -> str:
        """Return the service's address for containers, `srv:NAME`."""

    @property
    def container_server(self) -> str | None:
        """Return the DNS server that containers ask, as `host[:port]`; None: their system's resolver."""


class ConsulDNS:
    """Consul's DNS, over TCP, and its HTTP API if DNS does not know Consul.

    This machine asks the DNS server `server` (`host[:port]`), by default the system's resolver. Containers
    ask `container_server`, by default `server` too. If that is a loopback address, which means the container
    itself there, or `container_server` is "", they ask the resolver of their nodes. Names are in
    `datacenter`, by default that of the agent, below `domain`.

    Consul answers DNS by the rights of its anonymous token; over HTTP, `access` has its address and token
    (default: CONSUL_*). A DNS server that does not answer costs `timeout_s` once: the way that worked is
    remembered.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        container_server: str | None = None,
        datacenter: str | None = None,
        domain: str = "consul",
        access: ConsulAccess | None = None,
        timeout_s: float = 1.0,
    ) -> None:
        self._server = server
        self._container_server = container_server
        self._datacenter = datacenter
        self._domain = domain.strip(".")
        self._access = access
        self._default_host: str | None = None
        self._timeout_s = timeout_s
        self._trusts_dns = False
        self._prefers_catalog = False
        for setting, text in (("server", server), ("container_server", container_server)):
            _check_server(setting, text)

    def near(self, host: str) -> Self:
        """Return a copy with Consul's HTTP API at `host` unless `access` or CONSUL_HTTP_ADDR is set."""
        found = copy.copy(self)
        found._default_host = host
        found.__dict__.pop("catalog", None)
        return found

    @cached_property
    def catalog(self) -> ConsulCatalog:
        """Return Consul's catalog, for services that DNS does not know."""
        access = self._access or ConsulAccess.from_environment(self._default_host)
        return ConsulCatalog(access, datacenter=self._datacenter)

    @property
    def container_server(self) -> str | None:
        """Return the DNS server that containers ask; None: the resolver of their nodes."""
        if self._container_server is not None:
            return self._container_server or None
        if self._server is None or _is_loopback(self._server):
            return None
        return self._server

    def srv_address(self, service: str) -> str:
        """Return `srv:<service>.service[.<datacenter>].<domain>`."""
        return str(self._srv_name(service))

    def lookup(self, service: str) -> list[HostPort]:
        """Return the addresses of the service's passing instances, sorted.

        Raises ContainerManagerError if neither DNS nor Consul's HTTP API answers, or ACLs refuse.
        """
        if self._prefers_catalog:
            try:
                return self.catalog.passing(service)
            except ConsulUnreachableError:
                self._prefers_catalog = False
        try:
            addresses = resolve(self._srv_name(service), self._server, self._timeout_s)
        except AddressError as error:
            return self._lookup_in_catalog(service, error)
        self._trusts_dns = True
        return sorted({HostPort(*address) for address in addresses}, key=lambda each: (each.host, each.port))

    def _lookup_in_catalog(self, service: str, dns_error: AddressError) -> list[HostPort]:
        """Return the catalog's addresses, unless DNS can be trusted that there are none.

        A resolver that does not know Consul denies every name, and Consul denies services that its anonymous
        token may not read.
        """
        denial = _denial(dns_error)
        if denial and self._trusts_dns:
            return []
        is_from_consul = denial is not None and self._is_from_consul(denial)
        try:
            addresses = self.catalog.passing(service)
        except ConsulUnreachableError as error:
            if is_from_consul:
                self._trusts_dns = True
                return []
            raise ContainerManagerError(
                f"Cannot find the service {service!r}. By DNS: {dns_error}. By Consul's HTTP API: "
                f"{error.msg} Or give ConsulDNS(server=...) a DNS server that knows Consul."
            ) from error
        self._prefers_catalog = bool(addresses) or not is_from_consul
        return addresses

    def _is_from_consul(self, denial: Message) -> bool:
        """Return whether a denial comes from the authority of Consul's domain."""
        domain = dns.name.from_text(self._domain)
        return any(rrset.rdtype == SOA and rrset.name == domain for rrset in denial.authority)

    def _srv_name(self, service: str) -> SrvName:
        datacenter = f".{self._datacenter}" if self._datacenter else ""
        return SrvName(f"{service}.service{datacenter}.{self._domain}")


def _denial(error: AddressError) -> Message | None:
    """Return the response that denies a name's SRV records; None if there was no response."""
    cause = error.__cause__
    found: Message | None = None
    if isinstance(cause, NXDOMAIN):
        found = next(iter(cause.kwargs["responses"].values()))
    elif isinstance(cause, NoAnswer):
        found = cause.kwargs["response"]
    return found


def _check_server(setting: str, text: str | None) -> None:
    if text:
        try:
            found = _parse_server(text)
        except ValueError as error:
            raise ContainerManagerError(
                f"ConsulDNS was given {setting}={text!r}: {error}. Pass host or host:port."
            ) from error
        if isinstance(found, SrvName):
            raise ContainerManagerError(
                f"ConsulDNS was given {setting}={text!r}: a DNS server is a host, not an SRV name."
            )


def _parse_server(text: str) -> HostPort | SrvName:
    has_port = text.rpartition("]")[2].count(":") == 1
    return parse_address(text if has_port else f"{text}:{_DNS_PORT}")


def _is_loopback(server: str) -> bool:
    found = _parse_server(server)
    return isinstance(found, HostPort) and is_loopback(found.host)
