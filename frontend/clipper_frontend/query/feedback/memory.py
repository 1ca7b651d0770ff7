"""The memory of answers that feedback may come for, by query id. No I/O; the clock is an argument.

This page describes how feedback by query id counts exactly once: taken, used up, put back. One frontend alone
remembers an answer, the one that gave it, and it is in one of these states there:

               remember()              take()             use_up()
    (nothing) -----------> Remembered --------> TAKEN ---------------> USED
                               ^                  |
                               +---- put_back() --+

    and from each of the three, when its half is dropped (see below):  ------> FORGOTTEN

A learner calls remember() when a query is answered. UpdateHandler (updates.py) calls the other three:
use_up() or put_back() follows each take(). What it does with feedback in each state:

    Remembered   take() it. Then, by what the learner makes of the label:
                   400, put_back()      another application's query, or a label that the loss cannot measure
                   accepted, use_up()   nothing to add: there is no output to compare
                   stays TAKEN          its additions go to FeedbackWriter, and the client waits
    TAKEN        the client waits for the same write: it gets "duplicate" if that succeeds, else a 503
    USED         duplicate
    FORGOTTEN    late

FeedbackWriter writes additions in batches and reports to each batch's feedback what became of it:

    Redis                                | the feedback of the batch           | its answer is then
    -------------------------------------+-------------------------------------+----------------------------
    has it (settled(True))               | accepted, once; others: duplicate   | USED
    has it not and never will            | 503 "not counted"                   | Remembered: put_back()
    (settled(False))                     |                                     |
    gives no answer (delayed())          | 503 "not acknowledged", at once     | TAKEN until it is settled

The last is the hard case: Redis may have the batch or not. The writer numbers its batches, Redis keeps the
number and the outcome of its last one, and the writer asks for that until Redis answers; asking also cancels
a batch that has not arrived, so the answer is final. Until then new feedback is refused with 503 "not
counted", as is what waits behind the batch. A client that repeats its feedback afterwards gets "duplicate" if
Redis had the batch, and "accepted" if not: counted once either way.

Another frontend's answer. The query id begins with a number that belongs to one frontend. If it is not this
one, the feedback is handed to it (handover.py) and its response is passed on. If that frontend cannot be
reached or gives no sensible response, the client gets a 503: repeating is safe, since only the owner counts.
If no live frontend has the number, its memory is gone with it: late. Feedback that was handed over is never
handed on.

Eviction. The memory has a younger and an older half, each of at most half its bytes. When the younger is
full, or has been young for half the lifetime, the older is dropped and the younger becomes the older. So an
answer stays for half the lifetime, if there is room, and never for all of it. It costs a query one dictionary
entry. If a TAKEN answer is dropped, its write still ends and its clients are answered; use_up() and
put_back() then do nothing, and repeated feedback is late. If USED is dropped, a repetition is "late" instead
of "duplicate".

Limits of the promise. A frontend that is killed after Redis has written and before it has responded leaves
feedback that is counted but not acknowledged; repeated, it is refused while that frontend is still
registered, then late. Redis keeps an outcome for 30 days: a batch that it could not be asked about for 29
days is given up, and taken for one that is written, so that nothing counts twice. Feedback in Clipper's form
has no query id: it counts at least once.
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

#: Per-entry overhead: the object, its id, and its dictionary slot just after a resize. Per-output overhead:
#: the bytes header plus allocator rounding. Measured in tests/unit/query/feedback/test_memory.py.
ENTRY_OVERHEAD_BYTES: Final = 160
OUTPUT_OVERHEAD_BYTES: Final = 48


class Observer(Protocol):
    """The learner that selected the arms of an answer: it turns feedback into increments."""

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
        """Note that these additions, which observe() returned, are in Redis."""


class Remembered(msgspec.Struct, eq=False, gc=False):
    """A remembered answer: the output of the one arm that was asked, or the outputs of several.

    Outputs of stragglers and shadows may be added after the answer. `user` is the query's user id as text, or
    None.

    One is made for every query and many are kept: a Struct is the fastest to make, and with gc=False the
    garbage collector skips it. None is part of a reference cycle that outlives its place in the memory.
    """

    learner: Observer
    selection: Selection
    outputs: Outputs | bytes | None
    user: str | None

    def by_arm(self) -> Outputs:
        """Return the outputs by the index of their arm."""
        outputs = self.outputs
        return outputs if isinstance(outputs, dict) else {self.selection.asked[0]: outputs}


class Gone(enum.Enum):
    """The reason why there is no answer to take."""

    #: Feedback for it was counted.
    USED = "used"
    #: Feedback for it is being counted; the outcome is not known yet.
    TAKEN = "taken"
    #: It was never here, or was dropped.
    FORGOTTEN = "forgotten"


_Half: TypeAlias = dict[int, Remembered | Gone]


class FeedbackMemory:
    """The answers of one query frontend that feedback may still come for.

    `max_bytes` bounds it (0 remembers nothing). Nothing is kept longer than `lifetime_s`; if there is room,
    everything is kept for at least half of that.
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

    def remember(self, query_id: int, remembered: Remembered) -> None:
        """Remember the answer to a query."""
        outputs = remembered.outputs
        size = ENTRY_OVERHEAD_BYTES
        if isinstance(outputs, bytes):
            size += OUTPUT_OVERHEAD_BYTES + len(outputs)
        elif outputs is not None:
            size += _size_of_several(outputs)
        if remembered.user is not None:
            size += getsizeof(remembered.user)
        if size > self._max_half_bytes:
            return
        if self._young_bytes + size > self._max_half_bytes:
            self._age(self._clock())
        elif self._clock() - self._young_since >= self._half_life_s:
            self._expire()
        self._young[query_id] = remembered
        self._young_bytes += size

    def take(self, query_id: int) -> Remembered | Gone:
        """Take an answer so that its feedback can be counted: use_up() or put_back() must follow."""
        self._expire()
        half = self._half_of(query_id)
        if half is None:
            return Gone.FORGOTTEN
        found = half[query_id]
        if isinstance(found, Remembered):
            half[query_id] = Gone.TAKEN
        return found

    def use_up(self, query_id: int) -> None:
        """Mark a taken answer: its feedback was counted."""
        half = self._half_of(query_id)
        if half is not None:
            half[query_id] = Gone.USED

    def put_back(self, query_id: int, remembered: Remembered) -> None:
        """Return a taken answer, since its feedback was not counted: it may come again."""
        half = self._half_of(query_id)
        if half is not None:
            half[query_id] = remembered

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
        """Drop the older half and begin a new younger one, which counts as young from `since`."""
        self._old, self._young = self._young, {}
        self._young_bytes = 0
        self._young_since = since


def _size_of_several(outputs: Outputs) -> int:
    came = [OUTPUT_OVERHEAD_BYTES + len(output) for output in outputs.values() if output is not None]
    return getsizeof(outputs) + sum(came)
