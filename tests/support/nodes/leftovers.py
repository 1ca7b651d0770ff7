"""The control groups of a node's tasks, removed after all of the node was killed.

Nomad's clients remove those of tasks that end. All clients of a machine share one place for them, so only
those of the node's own allocations may go.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.support.nodes.plan import Node
from tests.support.processes import eventually

_GROUPS = Path("/sys/fs/cgroup")
# Where Nomad's clients have groups of tasks: by controller, and where there is one hierarchy.
_PLACES = ("*/nomad", "nomad.slice/*")
_TIMEOUT_S = 10.0


def remove_groups(node: Node) -> None:
    """Remove the control groups of the allocations on a node, of whose processes none runs any more."""
    eventually(lambda: not _try_to_remove(node), f"the groups of {node.name} are removed", _TIMEOUT_S)


def _try_to_remove(node: Node) -> list[Path]:
    """Remove what can be, and return what was there."""
    allocations = [path.name for path in (node.root / "opt" / "nomad" / "alloc").glob("*")]
    found = [
        group
        for allocation in allocations
        for place in _PLACES
        for group in _GROUPS.glob(f"{place}/{allocation}.*")
    ]
    for group in found:
        # A process that was killed is in its group until somebody has asked how it ended.
        with contextlib.suppress(OSError):
            group.rmdir()
    return found
