"""The distribution of groups of tests over the processes of pytest-xdist.

A group goes to one process as a whole. Tests marked `quiet` measure time: they run when no others do.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

#: The group of the tests that run alone.
QUIET = "quiet"


class Run:
    """A folder that the processes of one run share: the groups of its tests, and a lock of them all."""

    def __init__(self, run_id: str) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"clipper-tests-{run_id}"
        self._folder.mkdir(exist_ok=True)
        self._lock = (self._folder / "lock").open("a")

    @property
    def groups(self) -> dict[str, str]:
        """Return the group of each test that has one, by its id, once a process has collected them."""
        found: dict[str, str] = json.loads((self._folder / "groups").read_text())
        return found

    def write_groups(self, groups: Mapping[str, str], process: str) -> None:
        """Write the tests' groups for the process that distributes them; all write the same."""
        written = self._folder / process
        written.write_text(json.dumps(groups))
        written.replace(self._folder / "groups")

    def join(self) -> None:
        """Become a process for which the others can wait."""
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def await_others(self) -> None:
        """Return once no other process of this run has tests."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def leave(self) -> None:
        """Show the others that this process has no more tests."""
        self._lock.close()

    def remove(self) -> None:
        """Remove the folder, once all processes have left."""
        self._lock.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives out groups in the order of the collection; tests without one are in that of their file."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        # Keep the order of the collection: xdist would begin with the largest groups.
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._groups: dict[str, str] = {}

    def schedule(self) -> None:
        """Give each process its first groups, once all have collected the tests."""
        if not self._groups:
            run = Run(self.nodes[0].workerinput["testrunuid"])
            self.config.add_cleanup(run.remove)
            self._groups = run.groups
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._groups.get(nodeid) or nodeid.partition("::")[0]

    def _reschedule(self, node: WorkerController) -> None:
        # A process runs its last tests only when it gets more, or is shut down.
        if list(self.workqueue) == [QUIET] and self._is_one_of_several(node):
            if not node.shutting_down:
                node.shutdown()
            return
        super()._reschedule(node)

    def _is_one_of_several(self, node: WorkerController) -> bool:
        return any(other is not node and not other.shutting_down for other in self.nodes)
