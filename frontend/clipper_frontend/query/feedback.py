"""What was selected and answered, by query id, until feedback comes for it. No I/O; the clock is given.

Owns that feedback counts once: an answer is taken, and then either used up or put back. Bounded in bytes and
in lifetime: there is a younger and an older half, and the older one is dropped when the younger one is full,
or old enough. That costs a query one entry in a dictionary.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from clipper_frontend.selection.contract import Selection

if TYPE_CHECKING:
    from clipper_frontend.query.learner import PolicyLearner

#: What an answer takes beside its outputs: its object and its id, the dictionary of outputs, and its place in
#: the half's own (measured: tests/unit/query/test_feedback.py).
ENTRY_OVERHEAD_BYTES: Final = 400


class Answered:
    """What a query was answered with: `outputs` are JSON by index of the arm.

    None says that the arm was asked and gave none. Outputs that come after the answer (of stragglers and
    shadows) may still be added. `user` is the query's user id as text, or None.
    """

    __slots__ = ("learner", "outputs", "selection", "user")

    def __init__(
        self, learner: PolicyLearner, selection: Selection, outputs: dict[int, bytes | None], user: str | None
    ) -> None:
        self.learner = learner
        self.selection = selection
        self.outputs = outputs
        self.user = user


class Gone(enum.Enum):
    """Why there is no answer to take."""

    #: Feedback for it was counted.
    USED = "used"
    #: Feedback for it is being counted: how that ends is not known yet.
    TAKEN = "taken"
    #: It was never here, or is too old.
    FORGOTTEN = "forgotten"


_Half: TypeAlias = dict[int, Answered | Gone]


class FeedbackMemory:
    """The answers of one query frontend that feedback may still come for.

    `max_bytes` bounds it (0 remembers nothing). Nothing is kept longer than `lifetime_s`, and what there is
    room for is kept for half of that at least.
    """

    def __init__(self, max_bytes: int, lifetime_s: float, clock: Callable[[], float]) -> None:
        self._max_half_bytes = max_bytes // 2
        self._half_life_s = lifetime_s / 2
        self._clock = clock
        self._young: _Half = {}
        self._old: _Half = {}
        self._young_bytes = 0
        self._young_since = clock()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def remember(self, query_id: int, answered: Answered) -> None:
        """Keep what a query was answered with."""
        size = ENTRY_OVERHEAD_BYTES
        for output in answered.outputs.values():
            if output is not None:
                size += len(output)
        if size > self._max_half_bytes:
            return
        if self._young_bytes + size > self._max_half_bytes:
            self._age(self._clock())
        elif self._clock() - self._young_since >= self._half_life_s:
            self._expire()
        self._young[query_id] = answered
        self._young_bytes += size

    def take(self, query_id: int) -> Answered | Gone:
        """Take an answer, for its feedback to be counted: use_up() or put_back() must follow."""
        self._expire()
        half = self._half_of(query_id)
        if half is None:
            return Gone.FORGOTTEN
        found = half[query_id]
        if isinstance(found, Answered):
            half[query_id] = Gone.TAKEN
        return found

    def use_up(self, query_id: int) -> None:
        """Note that the feedback for a taken answer was counted."""
        half = self._half_of(query_id)
        if half is not None:
            half[query_id] = Gone.USED

    def put_back(self, query_id: int, answered: Answered) -> None:
        """Let feedback come again for a taken answer: this one was not counted."""
        half = self._half_of(query_id)
        if half is not None:
            half[query_id] = answered

    def _half_of(self, query_id: int) -> _Half | None:
        if query_id in self._young:
            return self._young
        return self._old if query_id in self._old else None

    def _expire(self) -> None:
        now = self._clock()
        if now - self._young_since >= 2 * self._half_life_s:
            self._age(now)
            self._age(now)
        elif now - self._young_since >= self._half_life_s:
            self._age(self._young_since + self._half_life_s)

    def _age(self, since: float) -> None:
        """Begin a younger half, which has been young since then."""
        self._old, self._young = self._young, {}
        self._young_bytes = 0
        self._young_since = since
