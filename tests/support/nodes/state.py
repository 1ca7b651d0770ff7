"""The state of a cluster of nodes, from its servers: leader, members, and whether all nodes work."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.nodes.api import ServerAPI
from tests.support.nodes.plan import Node

_ALIVE = 1


class NodesState:
    """The cluster as one server sees it now. If the server does not answer, all methods raise APIError."""

    def __init__(self, consul: ServerAPI, nomad: ServerAPI, nodes: Mapping[str, Node]) -> None:
        self._consul = consul
        self._nomad = nomad
        self._nodes = nodes

    def consul_leader(self) -> str:
        """Return the name of the node whose Consul leads; empty if none does."""
        return self._find_leader(self._consul)

    def nomad_leader(self) -> str:
        """Return the name of the node whose Nomad leads; empty if none does."""
        return self._find_leader(self._nomad)

    def is_led(self) -> bool:
        """Return whether there are leaders, and Consul accepts its first token."""
        self._consul.get("/v1/acl/token/self")
        return bool(self.consul_leader() and self.nomad_leader())

    def is_whole(self) -> bool:
        """Return whether all six nodes do their work."""
        return self._has_servers() and len(self._ready_clients()) == 2 and self._has_edge()

    def has_agent(self, name: str) -> bool:
        """Return whether the Consul agent of a node has joined."""
        checks = self._consul.get(f"/v1/health/node/{name}")
        return any(each["CheckID"] == "serfHealth" and each["Status"] == "passing" for each in checks)

    def members(self, program: str) -> set[str]:
        """Return the names of the members that the gossip of Consul, or of Nomad's servers, has as alive."""
        if program == "consul":
            found = self._consul.get("/v1/agent/members")
            return {each["Name"] for each in found if each["Status"] == _ALIVE}
        found = self._nomad.get("/v1/agent/members")["Members"]
        return {each["Name"].partition(".")[0] for each in found if each["Status"] == "alive"}

    def clients(self) -> dict[str, str]:
        """Return the ids of the clients that Nomad's servers know, by their names."""
        return {node["Name"]: node["ID"] for node in self._nomad.get("/v1/nodes")}

    def _has_servers(self) -> bool:
        """Return whether three servers of Consul, and three of Nomad, are healthy and follow a leader."""
        found = [api.get("/v1/operator/autopilot/health") for api in (self._consul, self._nomad)]
        return all(each["Healthy"] and len(each["Servers"] or ()) == 3 for each in found)

    def _ready_clients(self) -> list[str]:
        """Return the clients that accept tasks and have found their Consul."""
        found = [self._nomad.get(f"/v1/node/{node_id}") for node_id in self.clients().values()]
        return [
            node["Name"]
            for node in found
            if node["Status"] == "ready"
            and node["Drivers"].get("raw_exec", {}).get("Healthy")
            and "consul.version" in node["Attributes"]
        ]

    def _has_edge(self) -> bool:
        return bool(self._consul.get("/v1/health/service/fabio?passing"))

    def _find_leader(self, api: ServerAPI) -> str:
        address = str(api.get("/v1/status/leader")).partition(":")[0]
        return next((node.name for node in self._nodes.values() if node.address == address), "")
