"""A cluster of six nodes on this machine: three servers, two clients and an edge, each in a namespace.

It starts and ends them in order, and leaves nothing behind. terraform/modules/nodes rendered all files that
the agents read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from tests.support.docker.engine import MissingServiceError, cache_dir
from tests.support.nodes import network
from tests.support.nodes.access import Access
from tests.support.nodes.agents import NodeAgent
from tests.support.nodes.api import APIError, ServerAPI
from tests.support.nodes.leftovers import remove_groups
from tests.support.nodes.material import Authority, make_material, make_token
from tests.support.nodes.overlay import add_overlay
from tests.support.nodes.plan import Node, make_nodes, make_strangers
from tests.support.nodes.rendering import EXAMPLE, Rendered, render, write
from tests.support.nodes.state import NodesState
from tests.support.nodes.tofu import Root, copy_configurations
from tests.support.nomad.leftovers import kill_processes, unmount
from tests.support.nomad.tools import require_tofu, require_tools
from tests.support.processes import eventually

_START_TIMEOUT_S = 60.0
_LOCK_TIMEOUT_S = 200.0
_COMMANDS = ("ip", "iptables", "nsenter", "unshare", "openssl", "curl")


class NodesError(Exception):
    """The nodes did not start, or did not reach the awaited state."""


class NodeCluster:
    """Six nodes, with ACLs, TLS and gossip encryption. A machine can have one such cluster at a time."""

    def __init__(self) -> None:
        self.directory = cache_dir() / "nodes"
        self.nodes = make_nodes(self.directory)
        self._running: list[str] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start the cluster. Raises MissingServiceError if it is impossible, NodesError if it fails."""
        self.require()
        begun_s = time.monotonic()
        with contextlib.ExitStack() as stack:
            lock = stack.enter_context(self.directory.with_name("nodes.lock").open("a"))
            eventually(lambda: _try_to_own(lock), "no other tests use the nodes", _LOCK_TIMEOUT_S)
            self._clean()
            stack.callback(self._clean)
            self._prepare()
            self._start()
            self.start_s = time.monotonic() - begun_s
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- changes by tests

    def kill(self, *names: str) -> None:
        """Kill all processes of nodes at once, as `kill -9` does."""
        self._running = [name for name in self._running if name not in names]
        network.end_all(self.nodes[name] for name in names)
        for (node, _), agent in self._agents.items():
            if node in names:
                agent.wait_ended()
        for name in names:
            remove_groups(self.nodes[name])

    def give_lead(self, name: str) -> None:
        """Make a node's Nomad server the leader; its Consul server may lead already."""
        peers = self.nomad().get("/v1/operator/raft/configuration")["Servers"]
        peer = next(each["Address"] for each in peers if each["Node"].partition(".")[0] == name)
        if self.state.nomad_leader() != name:
            self.nomad().request("PUT", f"/v1/operator/raft/transfer-leadership?address={peer}")
        self._await(lambda: self.state.nomad_leader() == name, f"Nomad of {name} leads")

    def await_leaders(self) -> None:
        """Return once Consul and Nomad are led by nodes that run."""

        def is_led() -> bool:
            return {self.state.consul_leader(), self.state.nomad_leader()} <= set(self._running)

        self._await(is_led, "there are leaders")

    def start_again(self, *names: str) -> None:
        """Start nodes' agents with their old disks; return once they are members again."""
        self._start_agents(names)
        self._await(lambda: self.state.is_whole(), f"{', '.join(names)} came back")

    # -- queries by tests

    def environment(self) -> dict[str, str]:
        """Return the variables that people have; if the server in them is dead, they name another."""
        known = self.access.environment()
        if self._asked in self._running:
            return known
        return known | {"NOMAD_ADDR": self.nomad().url, "CONSUL_HTTP_ADDR": self.consul().url}

    def consul(self, token: str | None = None) -> ServerAPI:
        """Return Consul's API at a server that runs, with all rights unless a `token` is given."""
        secret = self.material["consul_management_token"] if token is None else token
        return ServerAPI.of_consul(self._server.address, self.authority.ca_path, secret)

    def nomad(self, token: str | None = None) -> ServerAPI:
        """Return Nomad's API at a server that runs, with all rights unless a `token` is given."""
        secret = self.nomad_token if token is None else token
        return ServerAPI.of_nomad(self._server.address, self.authority.ca_path, secret)

    @property
    def state(self) -> NodesState:
        """Return the cluster's state, asked at a server that runs."""
        return NodesState(self.consul(), self.nomad(), self.nodes)

    def agent(self, node: str, name: str) -> NodeAgent:
        """Return an agent of a node: `consul`, `nomad` or `fabio`."""
        return self._agents[node, name]

    def memory_bytes(self) -> int:
        """Return the memory of all processes of the nodes."""
        return sum(network.memory_bytes(node) for node in self.nodes.values())

    def render(self, nodes: Iterable[Node], material: Mapping[str, Any]) -> Rendered:
        """Return the files that terraform/modules/nodes renders for these nodes."""
        return render(Root(self._tofu, self.directory / "terraform" / EXAMPLE), nodes, material)

    def make_agent(self, node: Node, name: str) -> NodeAgent:
        """Return an agent of any node on this network, by the name of its unit."""
        return NodeAgent(node, name, getattr(self._tools, name))

    # -- start and end

    @property
    def _server(self) -> Node:
        return next(self.nodes[name] for name in self._running if self.nodes[name].role == "server")

    def require(self) -> None:
        """Find all programs, or build them. Raises MissingServiceError if one is missing."""
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            raise MissingServiceError("a cluster of nodes in network namespaces needs root on Linux")
        if missing := [name for name in _COMMANDS if shutil.which(name) is None]:
            raise MissingServiceError(f"a cluster of nodes needs these commands: {', '.join(missing)}")
        self._tofu, self._tools = require_tofu(), require_tools()

    def _prepare(self) -> None:
        """Make the network, the secrets, and the files that the agents read."""
        self.directory.mkdir(mode=0o700)
        self.authority = Authority(self.directory / "authority")
        self.material = make_material(self.authority, self.nodes.values())
        self.nomad_token = make_token()
        terraform = self.directory / "terraform"
        copy_configurations(terraform)
        self.access = Access(self._tofu, terraform / "access")
        rendered = self.render(self.nodes.values(), self.material)
        network.add_bridge()
        for node in self.nodes.values():
            network.add_node(node)
            write(rendered.files[node.name])
            add_overlay(node)
        self._agents = {
            (node.name, name): self.make_agent(node, name)
            for node in self.nodes.values()
            for name in rendered.units[node.name]
        }

    def _start(self) -> None:
        """Start the servers, put the tokens into the cluster, and start the other nodes, which use them."""
        servers = [node.name for node in self.nodes.values() if node.role == "server"]
        others = [name for name in self.nodes if name not in servers]
        self._start_agents(servers)
        self._await(lambda: self.state.is_led(), "the servers have leaders")
        # People ask a server that does not lead, so that it survives the tests that kill leaders.
        leaders = {self.state.consul_leader(), self.state.nomad_leader()}
        self._asked = next(name for name in servers if name not in leaders)
        self.access.apply(self.nodes[self._asked], self.nodes.values(), self.material, self.nomad_token)
        self._start_agents(others)
        self._await(lambda: self.state.is_whole(), "the cluster is whole")

    def _start_agents(self, names: Iterable[str]) -> None:
        started = list(names)
        self._running += started
        agents = [each for (node, _), each in self._agents.items() if node in started]
        # Consul first: the other agents of a node ask it.
        for agent in agents:
            if agent.name == "consul":
                agent.start()
        for agent in agents:
            if agent.name != "consul":
                self._await_consul(agent.node)
                agent.start()

    def _await_consul(self, node: Node) -> None:
        # A Nomad client that finds no Consul tries again only after 15 s; a server does not need it.
        if node.role != "server":
            self._await(lambda: self.state.has_agent(node.name), f"{node.name} has joined Consul")

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        def is_decided() -> bool:
            with contextlib.suppress(APIError):
                return condition() or bool(self._ended())
            return bool(self._ended())

        try:
            eventually(is_decided, what, _START_TIMEOUT_S)
        except TimeoutError as error:
            raise NodesError(str(error)) from error
        if ended := self._ended():
            raise NodesError(f"{ended[0].name} of {ended[0].node.name} has ended:\n{ended[0].last_lines}")

    def _ended(self) -> list[NodeAgent]:
        return [each for (node, _), each in self._agents.items() if node in self._running and each.has_ended]

    def _clean(self) -> None:
        """Remove the leftovers of a cluster, of this process or of another that has died."""
        for node in (*self.nodes.values(), *make_strangers(self.directory).values()):
            network.remove_node(node)
        network.remove_bridge()
        for agent in getattr(self, "_agents", {}).values():
            agent.wait_ended()
        kill_processes(self.directory)
        unmount(self.directory)
        for node in self.nodes.values():
            remove_groups(node)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.directory)


def _try_to_own(lock: Any) -> bool:
    """Try to take the file's lock, and return whether it succeeded."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
