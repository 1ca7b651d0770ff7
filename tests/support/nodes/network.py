"""Network namespaces that stand for machines, joined by a bridge: made, emptied, and removed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.nodes.plan import BRIDGE, MACHINE_ADDRESS, PREFIX_LENGTH, Node
from tests.support.processes import eventually

_END_TIMEOUT_S = 20.0
#: Where `ip netns` keeps them.
_NAMESPACES = Path("/run/netns")
# A Docker engine drops packets between a bridge's ports unless a rule accepts them.
_LET_THROUGH = ["FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT"]


def add_bridge() -> None:
    """Make the bridge, on which this machine has an address too."""
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "address", "add", f"{MACHINE_ADDRESS}/{PREFIX_LENGTH}", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    _run("iptables", "--wait", "--insert", *_LET_THROUGH)


def remove_bridge() -> None:
    """Remove the bridge and its rules, if they exist."""
    while _try("iptables", "--wait", "--delete", *_LET_THROUGH):
        pass
    _try("ip", "link", "delete", BRIDGE)


def add_node(node: Node) -> None:
    """Make a node's namespace, with one interface, `eth0`, on the bridge."""
    name = node.namespace
    _run("ip", "netns", "add", name)
    _run("ip", "link", "add", node.link, "type", "veth", "peer", "name", "eth0", "netns", name)
    _run("ip", "link", "set", node.link, "master", BRIDGE, "up")
    inside = ("ip", "-netns", name)
    _run(*inside, "address", "add", f"{node.address}/{PREFIX_LENGTH}", "dev", "eth0")
    _run(*inside, "link", "set", "lo", "up")
    _run(*inside, "link", "set", "eth0", "up")
    # Without a default route, programs take the machine for one without a network.
    _run(*inside, "route", "add", "default", "via", MACHINE_ADDRESS)


def remove_node(node: Node) -> None:
    """End all processes of a node, and remove its namespace, if they exist."""
    if (_NAMESPACES / node.namespace).exists():
        end_all((node,))
        _run("ip", "netns", "delete", node.namespace)
    # A namespace, and its link, can outlive its name for a moment.
    _try("ip", "link", "delete", node.link)


def end_all(nodes: Iterable[Node]) -> None:
    """Kill all processes of nodes at once, as a power cut does, until none is left."""
    ended = list(nodes)

    def is_quiet() -> bool:
        found = [pid for node in ended for pid in pids(node)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    eventually(is_quiet, f"the processes of {[node.name for node in ended]} have ended", _END_TIMEOUT_S)


def pids(node: Node) -> list[int]:
    """Return the processes of a node."""
    listed = subprocess.run(
        ["ip", "netns", "pids", node.namespace], check=True, capture_output=True, text=True
    )
    return [int(pid) for pid in listed.stdout.split()]


def memory_bytes(node: Node) -> int:
    """Return the memory of a node's processes, shared pages counted by their share."""
    return sum(_share_bytes(pid) for pid in pids(node))


def _share_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return 0


def enter(node: Node) -> list[str]:
    """Return the command line's beginning that starts a program on a node.

    `ip netns exec` would mount /sys again, without the control groups that Nomad's clients need.
    """
    return ["nsenter", f"--net={_NAMESPACES / node.namespace}"]


def redirect_names(node: Node, server: str, port: int) -> None:
    """Redirect a node's DNS queries to `server`, on port 53, to its DNS server's own port."""
    for protocol in ("udp", "tcp"):
        rule = ["--destination", server, "--protocol", protocol, "--dport", "53"]
        target = ["--jump", "REDIRECT", "--to-ports", str(port)]
        _run(*enter(node), "iptables", "--wait", "--table", "nat", "--append", "OUTPUT", *rule, *target)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _try(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
