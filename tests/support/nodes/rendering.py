"""The files of the nodes, rendered by the example for one's own machines of terraform/modules/nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.nodes.plan import DATACENTER, REGION, Node
from tests.support.nodes.tofu import Root

#: Below terraform/.
EXAMPLE = Path("modules/nodes/examples/own-machines")
_POOL = "models"


@dataclass(frozen=True)
class Rendered:
    """The rendered nodes by name: their files, and their services in the order of their start."""

    files: Mapping[str, list[File]]
    units: Mapping[str, list[str]]


@dataclass(frozen=True)
class File:
    """A file of a node, whose path begins with the node's own root."""

    path: Path
    content: str
    mode: int


def render(root: Root, nodes: Iterable[Node], material: Mapping[str, Any]) -> Rendered:
    """Return the files that the example in `root` renders for these nodes."""
    root.apply(
        {
            "name": "tests",
            "region": REGION,
            "datacenter": DATACENTER,
            "nodes": {node.name: _described(node) for node in nodes},
            "pools": {_POOL: {"drivers": ["raw_exec"]}},
            "material": material,
        }
    )
    found = root.outputs()
    files = {
        name: [_parse(path, entry) for path, entry in (entries | found["secret_files"][name]).items()]
        for name, entries in found["files"].items()
    }
    return Rendered(files, found["units"])


def write(files: Iterable[File]) -> None:
    """Write files with their modes. They belong to this user, who runs all programs of the nodes."""
    for file in files:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.touch(mode=file.mode)
        file.path.write_text(file.content)


def _described(node: Node) -> dict[str, str]:
    pool = {"pool": _POOL} if node.role == "client" else {}
    return {"address": node.address, "role": node.role, "root": str(node.root), **pool}


def _parse(path: str, entry: Mapping[str, str]) -> File:
    return File(Path(path), entry["content"], int(entry["mode"], 8))
