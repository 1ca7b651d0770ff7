"""The written forms of addresses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_container.addresses import HostPort, SrvName, parse_address, resolve


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:7000", HostPort("localhost", 7000)),
        (" 10.0.0.1:1 ", HostPort("10.0.0.1", 1)),
        ("[::1]:65535", HostPort("::1", 65535)),
        ("srv:clipper-rpc.service.consul", SrvName("clipper-rpc.service.consul")),
        ("SRV:_rpc._tcp.example", SrvName("_rpc._tcp.example")),
    ],
)
def test_forms(text: str, address: object) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "host", ":7000", "host:", "host:0", "host:65536", "host:x", "host:²", "::1:7000", "[::1]"),
        *("[x]:7000", "srv:", "srv:a b", "tcp://host:7000", "host:7000:1", "a,b:1"),
    ],
)
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"use host:port, \[ipv6\]:port or srv:NAME"):
        parse_address(text)


@settings(max_examples=25, deadline=None)
@given(st.text())
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert parse_address(str(address)) == address


def test_a_host_and_port_are_left_to_who_connects() -> None:
    assert resolve(HostPort("no-such-host.invalid", 1)) == [("no-such-host.invalid", 1)]
