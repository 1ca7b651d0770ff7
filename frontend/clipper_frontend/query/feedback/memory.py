"""What was selected and answered, by query id, until feedback comes for it. No I/O; the clock is given.

Owns that feedback counts once: an answer is taken, and then either used up or put back. Bounded in bytes and
in lifetime: there is a younger and an older half, and the older one is dropped when the younger one is full,
or old enough. That costs a query one entry in a dictionary.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from sys import getsizeof
from typing import Final, Protocol, TypeAlias

import msgspec

from clipper_frontend.registry.selection import Addition, StateKey
from clipper_frontend.selection.contract import Outputs, Selection
from clipper_frontend.selection.losses import Label

#: What an answer takes beside its outputs and its user: its object, its id, and its place in the dictionary
#: of the half when that has just grown. And what an output takes beside its text: a header, and what its size
#: is rounded up by. Measured: tests/unit/query/feedback/test_memory.py.
ENTRY_OVERHEAD_BYTES: Final = 160
OUTPUT_OVERHEAD_BYTES: Final = 48


class Observer(Protocol):
    """What turns feedback on an answer into increments: the learner that selected for it."""

    key: StateKey

    def observe(
        self,
        selection: Selection,
        outputs: Mapping[int, bytes | None],
        label: Label,
        user: str | None,
        now: float,
    ) -> list[Addition]:
        """Return what feedback adds; raises UnfitLabel."""

    def counted(self, additions: list[Addition]) -> None:
        """Note that what observe() returned is in Redis."""


class Answered(msgspec.Struct, eq=False, gc=False):
    """What a query was answered with: the output of the arm that was asked, or the outputs of several.

    Outputs of several that come after the answer (of stragglers and shadows) may still be added. `user` is
    the query's user id as text, or None.

    One is made for every query, and many are kept: a Struct is made soonest, and the garbage collector need
    not look at them. They are part of no cycle that outlives their place in the memory.
    """

    learner: Observer
    selection: Selection
    outputs: Outputs | bytes | None
    user: str | None

    def by_arm(self) -> Outputs:
        """Return the outputs by index of the arm."""
        outputs = self.outputs
        return outputs if isinstance(outputs, dict) else {self.selection.asked[0]: outputs}


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
        outputs = answered.outputs
        size = ENTRY_OVERHEAD_BYTES
        if isinstance(outputs, bytes):
            size += OUTPUT_OVERHEAD_BYTES + len(outputs)
        elif outputs is not None:
            size += _size_of_several(outputs)
        if answered.user is not None:
            size += getsizeof(answered.user)
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


def _size_of_several(outputs: Outputs) -> int:
    came = [OUTPUT_OVERHEAD_BYTES + len(output) for output in outputs.values() if output is not None]
    return getsizeof(outputs) + sum(came)
