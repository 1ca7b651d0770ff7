"""ConsulDNS' addresses for containers. Lookups are tried with a real Consul, in tests/system."""

from __future__ import annotations

import pytest

from clipper_container.addresses import SrvName, parse_address
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.dns import DNS, ConsulDNS


def test_srv_addresses_are_what_containers_parse() -> None:
    dns: DNS = ConsulDNS()
    address = dns.srv_address("clipper-iris-redis")
    assert address == "srv:clipper-iris-redis.service.consul"
    assert parse_address(address) == SrvName("clipper-iris-redis.service.consul")
    other = ConsulDNS(datacenter="dc2", domain="internal.example.")
    assert other.srv_address("clipper-iris-rpc") == "srv:clipper-iris-rpc.service.dc2.internal.example"


@pytest.mark.parametrize(
    ("server", "container_server", "given"),
    [
        (None, None, None),
        ("10.0.0.1:8600", None, "10.0.0.1:8600"),
        ("consul.example", None, "consul.example"),
        ("127.0.0.1:8600", None, None),
        ("localhost:8600", None, None),
        ("[::1]:8600", None, None),
        ("0.0.0.0:8600", None, None),
        ("127.0.0.1:8600", "172.17.0.1:8600", "172.17.0.1:8600"),
        (None, "172.17.0.1", "172.17.0.1"),
        ("10.0.0.1", "", None),
    ],
)
def test_containers_never_ask_their_own_loopback_by_default(
    server: str | None, container_server: str | None, given: str | None
) -> None:
    assert ConsulDNS(server, container_server=container_server).container_server == given


@pytest.mark.parametrize("server", ["http://consul:8600", "a:b", "::1", "srv:consul"])
def test_what_is_no_server_is_refused(server: str) -> None:
    with pytest.raises(ContainerManagerError, match=r"Pass host or host:port|not an SRV name"):
        ConsulDNS(server)
