"""Machines on the network of a cluster of nodes that do not belong to it, and try to join.

They get the files of the cluster's own nodes, with one of these changed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from typing import Any, Self

from tests.support.nodes import network
from tests.support.nodes.agents import NodeAgent
from tests.support.nodes.cluster import NodeCluster
from tests.support.nodes.material import Authority, make_token
from tests.support.nodes.overlay import add_overlay
from tests.support.nodes.plan import Node, make_strangers
from tests.support.nodes.rendering import File, write
from tests.support.processes import eventually

_SECRETS = {"consul": "etc/consul.d/secrets.json", "nomad": "etc/nomad.d/secrets.json"}
_CERTIFICATE, _KEY = "etc/clipper-nomad/tls/node.pem", "etc/clipper-nomad/tls/node-key.pem"
_DATA = {"consul": "opt/consul", "nomad": "opt/nomad"}


class Strangers:
    """A client, `x1`, and the servers `x2` and `x3`: with all files of nodes, but with unknown tokens."""

    def __init__(self, cluster: NodeCluster) -> None:
        self._cluster = cluster
        self._nodes = make_strangers(cluster.directory)
        self._files = {name: self._render(node) for name, node in self._nodes.items()}

    def __enter__(self) -> Self:
        for node in self._nodes.values():
            network.add_node(node)
            write(self._files[node.name])
            add_overlay(node)
        return self

    def __exit__(self, *_: object) -> None:
        for node in self._nodes.values():
            network.remove_node(node)

    def address(self, node: str) -> str:
        """Return the address of one of them."""
        return self._nodes[node].address

    @contextlib.contextmanager
    def joining(self, node: str, agent: str) -> Iterator[NodeAgent]:
        """Run an agent of one of them without the data of an earlier run, with the current files."""
        stranger = self._nodes[node]
        shutil.rmtree(stranger.root / _DATA[agent], ignore_errors=True)
        started = self._cluster.make_agent(stranger, agent)
        started.log_path.unlink(missing_ok=True)
        started.start()
        try:
            yield started
        finally:
            network.end_all([stranger])
            started.wait_ended()
            self._await_forgotten(node)

    @contextlib.contextmanager
    def with_gossip_key(self, node: str, agent: str, key: str | None) -> Iterator[None]:
        """Put another gossip key, or none, into an agent's secret file, for a block."""
        path = self._nodes[node].root / _SECRETS[agent]
        before = path.read_text()
        settings: dict[str, Any] = json.loads(before)
        keeper = settings if agent == "consul" else settings["server"]
        del keeper["encrypt"]
        if key is not None:
            keeper["encrypt"] = key
        path.write_text(json.dumps(settings))
        try:
            yield
        finally:
            path.write_text(before)

    @contextlib.contextmanager
    def with_authority(self, node: str, authority: Authority) -> Iterator[None]:
        """Give a node a certificate of another authority, for a block; it trusts the cluster's own."""
        pair = authority.certify(self._nodes[node])
        (self._nodes[node].root / _CERTIFICATE).write_text(pair.certificate)
        (self._nodes[node].root / _KEY).write_text(pair.key)
        try:
            yield
        finally:
            write(self._files[node])

    def _await_forgotten(self, name: str) -> None:
        """Return once neither Nomad nor Consul lists a dead stranger."""
        if client := self._cluster.state.clients().get(name):
            self._cluster.nomad().request("PUT", f"/v1/node/{client}/purge")
        eventually(
            lambda: name not in self._cluster.state.members("consul"), f"{name} is not a member any more"
        )

    def _render(self, node: Node) -> list[File]:
        """Return the files that one of them would have as a node of the cluster."""
        cluster = self._cluster
        others = list(cluster.nodes.values())
        if node.role == "server":
            # In the place of another: the module refuses an even number of servers.
            others.remove(cluster.nodes["s3"])
        pair, token = cluster.authority.certify(node).as_material(), make_token()
        material = {
            **cluster.material,
            "certificates": {**cluster.material["certificates"], node.name: pair},
            "consul_agent_tokens": {**cluster.material["consul_agent_tokens"], node.name: token},
        }
        return cluster.render([*others, node], material).files[node.name]
