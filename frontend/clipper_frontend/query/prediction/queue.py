"""Predictions, and the queue in which they wait for a replica, ordered by deadline. No I/O, no clock.

Deadlines arrive almost sorted, because most queries of a model share one latency SLO. An insertion is then an
append, and a removal moves a head index. A bisection serves the rest, and counts how many predictions are
ahead of a deadline.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol

from clipper_frontend.query.bodies.answers import DefaultReason

#: The dead prefix of the lists is cut off when it is longer than this and longer than the live rest.
_COMPACT_ABOVE = 1024


class Waiter(Protocol):
    """A party that waits for a prediction until `deadline`; a deadline below 0 means that it has left.

    It hears once: take() with the output, or miss() with the reason.
    """

    deadline: float

    def waits(self) -> bool:
        """Return whether the output is still wanted."""

    def take(self, output: bytes, now: float) -> None:
        """Take the output, as JSON."""

    def miss(self, reason: DefaultReason, detail: str | None, now: float) -> None:
        """Take the reason why no output will come."""


class Prediction:
    """One input for one model version, and the waiters for its output.

    `payload` is the input as the model gets it. `order_by` is the deadline that placed it in the queue,
    `deadline` the latest one of all its waiters. `sends` counts the batches it was part of.
    """

    __slots__ = ("deadline", "key", "order_by", "payload", "sends", "waiters")

    def __init__(self, key: bytes | None, payload: bytes, deadline: float, waiter: Waiter) -> None:
        self.key = key
        self.payload = payload
        self.order_by = deadline
        self.deadline = deadline
        self.waiters = [waiter]
        self.sends = 0

    def is_wanted(self) -> bool:
        """Return whether any waiter is left."""
        return any(waiter.waits() for waiter in self.waiters)

    def join(self, waiter: Waiter) -> None:
        """Add a waiter for the same input."""
        self.waiters.append(waiter)
        self.deadline = max(self.deadline, waiter.deadline)


class DeadlineQueue:
    """Predictions by their `order_by`, the earliest first; equal ones in order of arrival."""

    __slots__ = ("_deadlines", "_head", "_items")

    def __init__(self) -> None:
        self._deadlines: list[float] = []
        self._items: list[Prediction] = []
        self._head = 0

    def __len__(self) -> int:
        return len(self._items) - self._head

    def push(self, prediction: Prediction) -> None:
        """Add a prediction at the place of its deadline."""
        deadline = prediction.order_by
        deadlines = self._deadlines
        if not deadlines or deadline >= deadlines[-1]:
            deadlines.append(deadline)
            self._items.append(prediction)
            return
        at = bisect_right(deadlines, deadline, self._head)
        deadlines.insert(at, deadline)
        self._items.insert(at, prediction)

    def ahead_of(self, deadline: float) -> int:
        """Return how many predictions would be taken before one with this deadline."""
        deadlines = self._deadlines
        if not deadlines or deadline >= deadlines[-1]:
            return len(deadlines) - self._head
        return bisect_right(deadlines, deadline, self._head) - self._head

    def first(self) -> Prediction | None:
        """Return the prediction with the earliest deadline, or None."""
        return self._items[self._head] if self._head < len(self._items) else None

    def take(self, count: int) -> list[Prediction]:
        """Remove and return up to `count` predictions, the earliest deadlines first."""
        taken = self._items[self._head : self._head + count]
        self._head += len(taken)
        self._compact()
        return taken

    def drop_before(self, deadline: float) -> list[Prediction]:
        """Remove and return the predictions whose last waiter leaves before `deadline`.

        A prediction with a later waiter stays in its place, and the ones behind it are examined next time.
        """
        items, end = self._items, self._head
        while end < len(items) and items[end].deadline < deadline:
            end += 1
        dropped = items[self._head : end]
        self._head = end
        self._compact()
        return dropped

    def drop_unwanted(self) -> list[Prediction]:
        """Remove and return the predictions that nobody waits for."""
        kept: list[Prediction] = []
        dropped: list[Prediction] = []
        for prediction in self._items[self._head :]:
            (kept if prediction.is_wanted() else dropped).append(prediction)
        if dropped:
            self._items = kept
            self._deadlines = [prediction.order_by for prediction in kept]
            self._head = 0
        return dropped

    def _compact(self) -> None:
        head = self._head
        if head == len(self._items):
            self._items.clear()
            self._deadlines.clear()
            self._head = 0
        elif head > _COMPACT_ABOVE and head * 2 > len(self._items):
            del self._items[:head]
            del self._deadlines[:head]
            self._head = 0
