"""The control groups of a node's tasks, removed after all processes of the node were killed.

Nomad's clients remove those of tasks that end. All clients of a machine share one folder for them, so only
those of the node's own allocations may be removed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.support.nodes.plan import Node
from tests.support.processes import eventually

_GROUPS = Path("/sys/fs/cgroup")
# The folders of tasks' groups: in a hierarchy per controller, and in the unified one.
_PLACES = ("*/nomad", "nomad.slice/*")
_TIMEOUT_S = 10.0


def remove_groups(node: Node) -> None:
    """Remove the control groups of the allocations on a node, whose processes have all ended."""
    eventually(lambda: not _try_to_remove(node), f"the groups of {node.name} are removed", _TIMEOUT_S)


def _try_to_remove(node: Node) -> list[Path]:
    """Remove the groups that are empty, and return all that were found."""
    allocations = [path.name for path in (node.root / "opt" / "nomad" / "alloc").glob("*")]
    found = [
        group
        for allocation in allocations
        for place in _PLACES
        for group in _GROUPS.glob(f"{place}/{allocation}.*")
    ]
    for group in found:
        # A killed process stays in its group until its parent has waited for it.
        with contextlib.suppress(OSError):
            group.rmdir()
    return found
