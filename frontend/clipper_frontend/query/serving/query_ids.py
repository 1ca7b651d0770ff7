"""Query ids: below 2^53, unique over all frontends, each with its frontend's number in it. No I/O, no clock.

An id joins a number, which Redis gives to one frontend only, and the value of a count under a permutation
whose key only this frontend has. So who knows one id knows no other. Counts run out after days, so the next
number is taken in advance: there is always an id.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Final

from clipper_frontend.query.serving.permutation import Permutation

COUNT_BITS: Final = 32
_MASK: Final = (1 << COUNT_BITS) - 1
#: Ids are made so many at a time.
_BLOCK: Final = 1024


def number_of(query_id: int) -> int:
    """Return the number of the frontend that issued this id."""
    return query_id >> COUNT_BITS


class QueryIds:
    """The ids that this frontend issues, by next(). A number serves for `per_number` ids.

    `key` is secret and random.
    """

    def __init__(self, key: bytes, per_number: int = 1 << COUNT_BITS) -> None:
        self._key = key
        self._per_number = per_number
        #: The numbers in use, the latest last, with how many ids were made of each.
        self._used: dict[int, int] = {}
        self._permutations: dict[int, Permutation] = {}
        self._spare: list[int] = []
        #: A chain, so that an id costs no more than the next item of a list.
        self.next: Callable[[], int] = itertools.chain.from_iterable(self._blocks()).__next__

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

    def was_issued(self, query_id: int) -> bool:
        """Return whether an id with a number of this frontend was issued, or is about to be.

        A guess is taken for one as rarely as it hits one.
        """
        number = number_of(query_id)
        if number not in self._used:
            return False
        return self._permutation(number).count_of(query_id & _MASK) < self._used[number]

    def _blocks(self) -> Iterator[list[int]]:
        while True:
            if self._spare:
                number = self._spare.pop(0)
            elif self._used:
                # Redis was away for days: reuse the oldest ids.
                number = next(iter(self._used))
            else:
                raise RuntimeError("an id was asked for before there was a number")
            # Moved to the end: the number in use is the last.
            self._used[number] = self._used.pop(number, 0)
            for first in range(0, self._per_number, _BLOCK):
                count = min(_BLOCK, self._per_number - first)
                self._used[number] = max(self._used[number], first + count)
                base = number << COUNT_BITS
                yield [base | value for value in self._permutation(number).values(first, count)]

    def _permutation(self, number: int) -> Permutation:
        found = self._permutations.get(number)
        if found is None:
            found = self._permutations[number] = Permutation(self._key, number)
        return found
