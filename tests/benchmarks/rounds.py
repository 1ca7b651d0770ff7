"""The rounds of a comparison that count, chosen by the machine's other load and never by their outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.wrk import WrkResult

#: A median of fewer rounds is too uncertain.
MIN_ROUNDS = 3


@dataclass(frozen=True)
class Pair:
    """One round of a comparison: both runs, and the counted answers per second of each."""

    ours: WrkResult
    other: WrkResult
    ours_per_s: float
    other_per_s: float
    clean: bool = True

    @property
    def undisturbed(self) -> bool:
        """Return whether other processes left the machine to both runs."""
        return self.ours.undisturbed and self.other.undisturbed

    @property
    def ratio(self) -> float:
        """Return ours as a fraction of the other."""
        return self.ours_per_s / self.other_per_s


@dataclass(frozen=True)
class Comparison:
    """The rounds of a comparison; its ratio is the median of those that count."""

    pairs: Sequence[Pair]

    @property
    def counted(self) -> list[Pair]:
        """Return the rounds that count."""
        undisturbed = [pair for pair in self.pairs if pair.undisturbed]
        return undisturbed if len(undisturbed) >= MIN_ROUNDS else list(self.pairs)

    @property
    def ratio(self) -> float:
        """Return the median ratio."""
        return median(pair.ratio for pair in self.counted)

    @property
    def invalid_because(self) -> str:
        """Return the reason why the ratio is invalid, or an empty text."""
        undisturbed = sum(pair.undisturbed for pair in self.pairs)
        if undisturbed < MIN_ROUNDS:
            return f"machine busy, {undisturbed} of {len(self.pairs)} rounds undisturbed"
        if not all(pair.clean for pair in self.counted):
            return "lost or default answers"
        return ""
