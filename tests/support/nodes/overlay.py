"""The differences from the rendered files if six nodes share one machine: one more file.

Only clients of Nomad have one. Besides, a node's resolver asks its Consul agent: systemd-resolved, for which
the module renders a file, is not there.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.nodes.network import redirect_names
from tests.support.nodes.plan import Node

# Agents read the files of their folder in the order of their names, so that it adds to what was rendered.
_PATH = "etc/nomad.d/zz-shared-machine.json"
# That of systemd-resolved's stub.
_RESOLVER_ADDRESS = "127.0.0.53"
_DNS_PORT = 8600
_RESOLVER_PATH = "etc/resolv.conf"

_CLIENT: dict[str, Any] = {
    # Each would find the whole machine.
    "memory_total_mb": 4096,
    "cpu_total_compute": 4000,
    # These ask a cloud's metadata server, which is not there.
    "options": {"fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean"},
    # The logs of what ended stay, whatever the disk of the machine holds.
    "gc_disk_usage_threshold": 99,
    "gc_inode_usage_threshold": 99,
}


def add_overlay(node: Node) -> None:
    """Give a node, which has its rendered files, what it needs besides."""
    (node.root / _RESOLVER_PATH).write_text(f"nameserver {_RESOLVER_ADDRESS}\n")
    redirect_names(node, _RESOLVER_ADDRESS, _DNS_PORT)
    if node.role == "client":
        (node.root / _PATH).write_text(json.dumps({"client": _CLIENT}, indent=2))
