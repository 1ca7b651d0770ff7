"""The counts of one module of the hostile suite, and the assertion that nothing was wrong."""

from __future__ import annotations

import logging
from collections import Counter

from tests.support.hostile.budget import SEED

#: A report with this property has the line that the summary shows.
PROPERTY = "hostile"
_MAX_FINDINGS = 20
_logger = logging.getLogger("hostile")


class Counts:
    """Cases, and what was not as it must be; memory in MB, of the processes that the cases were aimed at."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.cases = 0
        self.memory_mb: tuple[float, float] = (0.0, 0.0)
        self._faults: Counter[str] = Counter()
        self._findings: list[str] = []

    def unanswered(self, what: str) -> None:
        """Count something that was owed an answer and got none."""
        self._note("unanswered", what)

    def wrong(self, what: str) -> None:
        """Count an answer or a state that is not right."""
        self._note("wrong", what)

    def restarted(self, what: str) -> None:
        """Count a process that ended and was started again, though nobody ended it."""
        self._note("restarted", what)

    def left_over(self, what: str) -> None:
        """Count something that should be gone."""
        self._note("left over", what)

    def _note(self, kind: str, what: str) -> None:
        self._faults[kind] += 1
        if len(self._findings) < _MAX_FINDINGS:
            self._findings.append(f"{kind}: {what}")
            _logger.warning("%s", self._findings[-1])

    def line(self) -> str:
        """Return the counts as one line."""
        kinds = ("unanswered", "wrong", "restarted", "left over")
        faults = ", ".join(f"{self._faults[kind]} {kind}" for kind in kinds)
        before, after = self.memory_mb
        memory = f"{before:.0f} MB before, {after:.0f} MB after" if before else "memory not measured"
        return f"{self.module}: {self.cases} cases, {faults}, {memory}, seed {SEED}"

    def check(self) -> None:
        """Raise AssertionError, with the first findings, unless there were cases and all was right."""
        assert self.cases, f"{self.module} had no time for a case"
        assert not self._faults, "\n".join([self.line(), *self._findings])
