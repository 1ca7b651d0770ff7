"""The distribution of groups of tests over the processes of pytest-xdist.

A group goes to one process as a whole. Tests marked `quiet` measure time: they run when no others do.
"""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

#: The group of the tests that are run alone.
QUIET = "quiet"


class GroupScheduling(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives out groups in the order of the collection: those of `xdist_group`, else files."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        # Not the groups of most tests first, as is usual.
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return str(super()._split_scope(nodeid)).partition("::")[0]

    def _reschedule(self, node: WorkerController) -> None:
        # A process runs its last tests only when it is given more, or told that there is no more.
        if QUIET in self.workqueue and len(self.workqueue) == 1 and self._is_one_of_several(node):
            if not node.shutting_down:
                node.shutdown()
            return
        super()._reschedule(node)

    def _is_one_of_several(self, node: WorkerController) -> bool:
        return any(other is not node and not other.shutting_down for other in self.nodes)


class Processes:
    """A file that each process of a run has locked until its last test, so that one can await the others."""

    def __init__(self, run: str) -> None:
        self._path = Path(tempfile.gettempdir()) / f"clipper-tests-{run}.lock"
        self._file = self._path.open("a")
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def await_others(self) -> None:
        """Return once no other process of this run has tests."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def leave(self) -> None:
        """Let the others know that this process has no more tests."""
        self._path.unlink(missing_ok=True)
        self._file.close()
