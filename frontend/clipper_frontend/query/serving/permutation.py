"""A keyed permutation of 32-bit counts: who lacks the key cannot tell one value from another. No I/O.

It is a Feistel network of halves of 16 bits, whose round functions are random tables made from the key.
Values are computed by the thousand, which costs less than 100 ns for each.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

_HALF_BITS: Final = 16
_HALF: Final = 1 << _HALF_BITS
_LOW: Final = _HALF - 1
#: Four rounds suffice against who sees the values of known counts; more against who chooses.
_ROUNDS: Final = 8

_Halves = npt.NDArray[np.uint16]


class Permutation:
    """Maps counts below 2^32 to values below 2^32 and back, in another way for each number and each key."""

    def __init__(self, key: bytes, number: int) -> None:
        seed = key + number.to_bytes(8, "little")
        data = hashlib.shake_256(seed).digest(_ROUNDS * _HALF * 2)
        self._tables: _Halves = np.frombuffer(data, dtype=np.uint16).reshape(_ROUNDS, _HALF)

    def values(self, first: int, count: int) -> list[int]:
        """Return the values of `count` counts from `first` on."""
        counts = np.arange(first, first + count, dtype=np.uint64)
        left, right = (counts >> _HALF_BITS).astype(np.uint16), (counts & _LOW).astype(np.uint16)
        for table in self._tables:
            left, right = right, left ^ table[right]
        joined: list[int] = ((left.astype(np.uint64) << _HALF_BITS) | right).tolist()
        return joined

    def count_of(self, value: int) -> int:
        """Return the count that has this value."""
        left, right = value >> _HALF_BITS, value & _LOW
        for table in self._tables[::-1]:
            left, right = right ^ int(table[left]), left
        return left << _HALF_BITS | right
