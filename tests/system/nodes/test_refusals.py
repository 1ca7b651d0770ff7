"""Strangers to a cluster of nodes are refused: no token, another authority, no gossip key."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.frontends.cluster import request
from tests.support.nodes.api import APIError, ServerAPI
from tests.support.nodes.cluster import NodeCluster
from tests.support.nodes.material import Authority, make_gossip_key, make_token
from tests.support.nodes.strangers import Strangers
from tests.support.processes import eventually

pytestmark = pytest.mark.timeout(120)

_UNTRUSTED = "certificate signed by unknown authority"
_SERVICE = {"Name": "stranger", "Port": 1}


@pytest.fixture(scope="module")
def strangers(node_cluster: NodeCluster) -> Iterator[Strangers]:
    with Strangers(node_cluster) as made:
        yield made


@pytest.mark.parametrize("token", ["", make_token()], ids=["no token", "unknown token"])
@pytest.mark.parametrize(
    ("program", "method", "path", "body"),
    [
        ("nomad", "GET", "/v1/jobs", None),
        ("nomad", "GET", "/v1/nodes", None),
        ("nomad", "DELETE", "/v1/job/any", None),
        ("nomad", "GET", "/v1/operator/raft/configuration", None),
        ("consul", "GET", "/v1/kv/any", None),
        ("consul", "PUT", "/v1/kv/any", "x"),
        ("consul", "PUT", "/v1/agent/service/register", _SERVICE),
        ("consul", "PUT", "/v1/agent/force-leave/c1", None),
        ("consul", "GET", "/v1/acl/tokens", None),
    ],
)
def test_a_request_without_a_token_is_refused(
    node_cluster: NodeCluster, program: str, method: str, path: str, body: Any, token: str
) -> None:
    api = node_cluster.nomad(token) if program == "nomad" else node_cluster.consul(token)
    with pytest.raises(APIError) as refused:
        api.request(method, path, body)
    assert refused.value.status == 403


@pytest.mark.parametrize("port", [4646, 8501])
def test_unencrypted_requests_are_refused(node_cluster: NodeCluster, port: int) -> None:
    status, text = request(f"{node_cluster.nodes['s1'].address}:{port}", "GET", "/v1/status/leader")
    assert (status, text) == (400, b"Client sent an HTTP request to an HTTPS server.\n")


@pytest.mark.parametrize(
    ("node", "port"), [("s1", 8500), ("s1", 8600), ("c1", 8500), ("c1", 8501), ("edge", 8500), ("edge", 8501)]
)
def test_a_nodes_own_ports_are_not_reached_from_elsewhere(
    node_cluster: NodeCluster, node: str, port: int
) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((node_cluster.nodes[node].address, port), timeout=5).close()


@pytest.mark.parametrize("make", [ServerAPI.of_consul, ServerAPI.of_nomad], ids=["Consul", "Nomad"])
def test_a_server_is_not_trusted_by_another_authority(
    node_cluster: NodeCluster, tmp_path: Path, make: Any
) -> None:
    address = node_cluster.nodes["s1"].address
    other = Authority(tmp_path)
    with pytest.raises(APIError, match="certificate verify failed"):
        make(address, other.ca_path).get("/v1/status/leader")
    assert make(address, node_cluster.authority.ca_path).get("/v1/status/leader")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "encryption is configured but remote state is not encrypted"),
        (make_gossip_key(), "no installed keys could decrypt the message"),
    ],
    ids=["no key", "another key"],
)
@pytest.mark.parametrize(("node", "program"), [("x1", "consul"), ("x2", "nomad")])
def test_an_agent_without_the_gossip_key_does_not_become_a_member(
    node_cluster: NodeCluster, strangers: Strangers, node: str, program: str, key: str | None, said: str
) -> None:
    told = f"{said} from={strangers.address(node)}"
    with strangers.with_gossip_key(node, program, key), strangers.joining(node, program):
        # The stranger asks this server, among others, each second.
        agent = node_cluster.agent("s1", program)
        eventually(lambda: told in agent.log.lower(), f"s1 refuses {node}")
        assert node not in node_cluster.state.members(program)


@pytest.mark.parametrize("program", ["consul", "nomad"])
def test_an_agent_with_a_certificate_of_another_authority_is_refused(
    node_cluster: NodeCluster, strangers: Strangers, program: str, tmp_path: Path
) -> None:
    address = strangers.address("x1")

    def is_refused() -> bool:
        logs = [node_cluster.agent(server, program).log for server in ("s1", "s2", "s3")]
        return any(_UNTRUSTED in line and address in line for log in logs for line in log.splitlines())

    with strangers.with_authority("x1", Authority(tmp_path)), strangers.joining("x1", program):
        eventually(is_refused, "a server refuses its certificate")
        assert "x1" not in node_cluster.state.clients()


# Nomad lists a server that has left as alive for minutes, so this stranger is another one.
@pytest.mark.parametrize(("node", "program"), [("x1", "consul"), ("x3", "nomad")])
def test_with_the_gossip_key_an_agent_would_be_a_member(
    node_cluster: NodeCluster, strangers: Strangers, node: str, program: str
) -> None:
    with strangers.joining(node, program):
        eventually(lambda: node in node_cluster.state.members(program), f"{node} is a member")


def test_with_a_certificate_of_the_authority_a_client_would_be_one(
    node_cluster: NodeCluster, strangers: Strangers
) -> None:
    with strangers.joining("x1", "nomad"):
        eventually(lambda: "x1" in node_cluster.state.clients(), "x1 is a client")
