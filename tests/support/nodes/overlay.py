"""One file more than the rendered ones, since the six nodes share one machine.

Only Nomad clients have it. Besides, a node's resolver asks its Consul agent directly: systemd-resolved, for
which the module renders a file, does not run here.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.nodes.network import redirect_names
from tests.support.nodes.plan import Node

# Agents read the files of their folder by name; the last one adds to the rendered ones.
_PATH = "etc/nomad.d/zz-shared-machine.json"
# The address of systemd-resolved's stub.
_RESOLVER_ADDRESS = "127.0.0.53"
_DNS_PORT = 8600
_RESOLVER_PATH = "etc/resolv.conf"

_CLIENT: dict[str, Any] = {
    # Each client would offer the whole machine.
    "memory_total_mb": 4096,
    "cpu_total_compute": 4000,
    # These would ask a cloud's metadata server, which is missing here.
    "options": {"fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean"},
    # Keep the logs of ended tasks, however full the disk is.
    "gc_disk_usage_threshold": 99,
    "gc_inode_usage_threshold": 99,
}


def add_overlay(node: Node) -> None:
    """Add the file to a node that has its rendered ones, and redirect its DNS queries."""
    (node.root / _RESOLVER_PATH).write_text(f"nameserver {_RESOLVER_ADDRESS}\n")
    redirect_names(node, _RESOLVER_ADDRESS, _DNS_PORT)
    if node.role == "client":
        (node.root / _PATH).write_text(json.dumps({"client": _CLIENT}, indent=2))
