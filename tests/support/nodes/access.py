"""The rights of terraform/access on a cluster of nodes, and the environment that people get from it.

It applies that root, and reads its outputs by the README's command: `eval "$(clipper-nomad env …)"`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.support.nodes.api import CONSUL_PORT, NOMAD_PORT
from tests.support.nodes.plan import DATACENTER, Node
from tests.support.nodes.tofu import Root
from tests.support.processes import BIN

_HANDED_OVER = (
    "ca_pem",
    "consul_management_token",
    "consul_agent_tokens",
    "consul_nomad_server_token",
    "consul_nomad_client_token",
    "consul_fabio_token",
)
_EVALUATE = 'eval "$(clipper-nomad env --terraform "$0")" && env -0'


class Access:
    """The root terraform/access for the nodes of one cluster, in the copy at `directory`."""

    def __init__(self, tofu: Path, directory: Path) -> None:
        self._tofu = tofu
        self._root = Root(tofu, directory)

    def apply(
        self, server: Node, nodes: Iterable[Node], material: Mapping[str, Any], nomad_token: str
    ) -> None:
        """Apply the root: Nomad and Consul, asked at one server, know all policies and tokens then."""
        known = list(nodes)
        edge = next(node for node in known if node.role == "edge")
        self._root.apply(
            {
                "nomad_address": f"https://{server.address}:{NOMAD_PORT}",
                "consul_address": f"https://{server.address}:{CONSUL_PORT}",
                "datacenter": DATACENTER,
                "nodes": {node.name: {"role": node.role} for node in known},
                "fabio": {"address": edge.address},
                "nomad_bootstrap_token": nomad_token,
                **{name: material[name] for name in _HANDED_OVER},
            }
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that the README's command adds to a shell."""
        before = {"PATH": f"{self._tofu.parent}:{BIN}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["sh", "-c", _EVALUATE, str(self._root.directory)],
            env=before,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        pairs = (entry.partition("=") for entry in done.stdout.split("\0") if entry)
        return {name: value for name, _, value in pairs if name.startswith(("NOMAD_", "CONSUL_", "CLIPPER_"))}
