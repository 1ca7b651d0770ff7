"""Query ids: below 2^53, unique over all frontends, each with its frontend's number in it. No I/O, no clock.

An id joins a number, which Redis gives to one frontend only, and a count. Counts run out after days, so the
next number is taken in advance: there is always an id.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Final

COUNT_BITS: Final = 32
_MASK: Final = (1 << COUNT_BITS) - 1


def number_of(query_id: int) -> int:
    """Return the number of the frontend that issued this id."""
    return query_id >> COUNT_BITS


class QueryIds:
    """The ids that this frontend issues, by next(). A number serves for `per_number` ids."""

    def __init__(self, per_number: int = 1 << COUNT_BITS) -> None:
        self._per_number = per_number
        self._used: list[int] = []
        self._spare: list[int] = []
        #: A chain, so that an id costs no more than a count.
        self.next: Callable[[], int] = itertools.chain.from_iterable(self._ranges()).__next__

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return this frontend's numbers, in use or in reserve."""
        return (*self._used, *self._spare)

    def wants_number(self) -> bool:
        """Return whether another number should be taken, to have one in use and one in reserve."""
        return len(self._spare) < (1 if self._used else 2)

    def add(self, number: int) -> None:
        """Add a number that no other frontend has."""
        self._spare.append(number)

    def _ranges(self) -> Iterator[range]:
        while True:
            if self._spare:
                self._used.append(self._spare.pop(0))
            elif self._used:
                # Redis was away for days: reuse the oldest ids.
                self._used.append(self._used.pop(0))
            else:
                raise RuntimeError("an id was asked for before there was a number")
            first = self._used[-1] << COUNT_BITS
            yield range(first, first + self._per_number)
