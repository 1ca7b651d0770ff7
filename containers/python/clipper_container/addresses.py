"""Addresses of servers, `host:port` or `srv:NAME`, and the lookup of the hosts and ports behind them.

Frontends use them for Redis, containers for frontends. Parsing does no I/O; resolve() does.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Union

if TYPE_CHECKING:
    from dns.rdtypes.IN.SRV import SRV
    from dns.resolver import Answer, Resolver

_FORMS = "use host:port, [ipv6]:port or srv:NAME"
_SRV_PREFIX = "srv:"
_DNS_PORT = 53


class AddressError(OSError):
    """A name has no address at this moment."""


@dataclass(frozen=True)
class HostPort:
    """A host, by name or IP address (IPv6 without its brackets), and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class SrvName:
    """A DNS name whose SRV records hold the hosts and ports of a service."""

    name: str

    def __str__(self) -> str:
        return _SRV_PREFIX + self.name


Address = Union[HostPort, SrvName]


def parse_address(text: str) -> Address:
    """Return the address in `text`; raise ValueError, which names the forms, for anything else."""
    text = text.strip()
    if text.lower().startswith(_SRV_PREFIX):
        name = text[len(_SRV_PREFIX) :]
        if not _is_name(name):
            raise ValueError(f"address {text!r} names no SRV record: {_FORMS}")
        return SrvName(name)
    host, colon, port_text = text.rpartition(":")
    if not colon:
        raise ValueError(f"address {text!r} has no port: {_FORMS}")
    return HostPort(_parse_host(host, text), _parse_port(port_text, text))


def _parse_host(host: str, text: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            socket.inet_pton(socket.AF_INET6, host[1:-1])
        except OSError:
            raise ValueError(f"address {text!r} has no IPv6 address in its brackets: {_FORMS}") from None
        return host[1:-1]
    if not _is_name(host):
        raise ValueError(f"address {text!r} names no host: {_FORMS}")
    return host


def _parse_port(port_text: str, text: str) -> int:
    if not (port_text.isascii() and port_text.isdecimal() and 0 < int(port_text[:6]) < 65536):
        raise ValueError(f"address {text!r} has no port from 1 to 65535: {_FORMS}")
    return int(port_text)


def _is_name(name: str) -> bool:
    return bool(name) and all(char.isalnum() or char in "-._" for char in name)


def resolve(
    address: Address, dns_server: Optional[str] = None, timeout_s: float = 5.0
) -> list[tuple[str, int]]:
    """Return the hosts and ports to connect to for `address`, the preferred one first.

    A HostPort is returned as it is, its name unresolved. An SRV name is looked up over TCP, since answers
    with many records do not fit a datagram, at `dns_server` (`host:port`) or the system's servers; its hosts
    are IP addresses, ordered by priority and, at random, by weight. Blocks for up to `timeout_s`. Raises
    AddressError if there is no address.
    """
    if isinstance(address, HostPort):
        return [(address.host, address.port)]
    return _resolve_srv(address, dns_server, timeout_s)


def _resolve_srv(address: SrvName, dns_server: Optional[str], timeout_s: float) -> list[tuple[str, int]]:
    import dns.exception  # dnspython takes longer to import than the rest of the runtime's start
    import dns.resolver

    expires_at = time.monotonic() + timeout_s
    at_server = f" at the DNS server {dns_server}" if dns_server else " at the system's DNS servers"
    try:
        resolver = _resolver(dns_server)
        answer = resolver.resolve(address.name, "SRV", tcp=True, lifetime=timeout_s)
        places = []
        for record in _ordered(answer):
            hosts = _additional_hosts(answer, record) or _ask_hosts(resolver, record, expires_at)
            places += [(host, record.port) for host in hosts]
    except (dns.exception.DNSException, OSError, ValueError) as exc:
        raise AddressError(f"cannot look up {address}{at_server}: {_one_line(exc)}") from exc
    if not places:
        raise AddressError(f"cannot look up {address}{at_server}: its SRV targets have no address")
    return places


def _resolver(dns_server: Optional[str]) -> Resolver:
    from dns.resolver import Resolver

    if dns_server is None:
        return Resolver()
    server = parse_address(dns_server if _has_port(dns_server) else f"{dns_server}:{_DNS_PORT}")
    if not isinstance(server, HostPort):
        raise ValueError(f"a DNS server cannot be an SRV name: {dns_server}")
    resolver = Resolver(configure=False)
    found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    resolver.nameservers = [str(info[4][0]) for info in found]
    resolver.port = server.port
    return resolver


def _has_port(dns_server: str) -> bool:
    return dns_server.rpartition("]")[2].count(":") == 1


def _ordered(answer: Answer) -> list[SRV]:
    """Return SRV records by priority, and within one in random order, the heavier ones earlier on average."""
    records: Iterable[SRV] = answer
    return sorted(records, key=lambda record: (record.priority, -_draw(record.weight)))


def _draw(weight: int) -> float:
    """Return a random key; the highest key belongs to each record in proportion to its weight.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006).
    """
    return random.random() ** (1 / weight) if weight else 0.0


def _additional_hosts(answer: Answer, record: SRV) -> list[str]:
    """Return the addresses of a record's target from the additional section of the answer."""
    from dns.rdatatype import AAAA, A

    return [
        str(address.address)
        for rrset in answer.response.additional
        if rrset.name == record.target and rrset.rdtype in (A, AAAA)
        for address in rrset
    ]


def _ask_hosts(resolver: Resolver, record: SRV, expires_at: float) -> list[str]:
    """Look up the addresses of a record's target; return none for a target without addresses."""
    from dns.resolver import NXDOMAIN, NoAnswer

    hosts: list[str] = []
    for record_type in ("A", "AAAA"):
        left_s = max(expires_at - time.monotonic(), 0.05)
        try:
            answer = resolver.resolve(record.target, record_type, tcp=True, lifetime=left_s)
        except (NXDOMAIN, NoAnswer):
            continue
        hosts += [str(address.address) for address in answer]
    return hosts


def _one_line(exc: Exception) -> str:
    return " ".join(f"{type(exc).__name__}: {exc}".split())
