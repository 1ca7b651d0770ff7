"""The nodes of a cluster on one machine: their names, addresses, roles and folders. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

REGION = "global"
DATACENTER = "dc1"
#: The bridge that joins all nodes and this machine. Neither Docker nor a test uses this name.
BRIDGE = "nb0"
#: This machine's address on the bridge.
MACHINE_ADDRESS = "10.77.0.254"
PREFIX_LENGTH = 24

Role = Literal["server", "client", "edge"]


@dataclass(frozen=True)
class Node:
    """A node: a network namespace of its own, and a folder that stands for the root of its disk."""

    name: str
    address: str
    role: Role
    root: Path

    @property
    def namespace(self) -> str:
        """Return the name of its network namespace."""
        return f"clipper-{self.name}"

    @property
    def link(self) -> str:
        """Return the name of its link's other end, which is on the bridge."""
        return f"{BRIDGE}-{self.name}"


_PLACES: dict[str, tuple[str, Role]] = {
    "s1": ("10.77.0.11", "server"),
    "s2": ("10.77.0.12", "server"),
    "s3": ("10.77.0.13", "server"),
    "c1": ("10.77.0.21", "client"),
    "c2": ("10.77.0.22", "client"),
    "edge": ("10.77.0.31", "edge"),
}


def make_nodes(directory: Path) -> dict[str, Node]:
    """Return the six nodes, by name, whose folders are in `directory`."""
    return {name: Node(name, address, role, directory / name) for name, (address, role) in _PLACES.items()}


def make_strangers(directory: Path) -> dict[str, Node]:
    """Return three machines on the same network that do not belong to the cluster, by their names."""
    places: dict[str, tuple[str, Role]] = {
        "x1": ("10.77.0.41", "client"),
        "x2": ("10.77.0.42", "server"),
        "x3": ("10.77.0.43", "server"),
    }
    return {name: Node(name, address, role, directory / name) for name, (address, role) in places.items()}
