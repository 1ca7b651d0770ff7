"""The policy `split`: fixed shares between models or versions (A/B, canary), sticky per user.

Users are divided by weighted rendezvous hashing (Thaler and Ravishankar 1998; with weights: Schindelhauer and
Schomaker 2005): each arm draws a number for the user, exponential with the arm's weight as its rate, and the
smallest wins. An arm's number depends on nothing but the user, the arm and its weight, so that when an arm is
added, removed or given another weight, only the fewest possible users move. All frontends, of any version of
Python, agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import blake2b
from typing import ClassVar, Final

import msgspec

from clipper_frontend.selection.contract import Selection, Setup
from clipper_frontend.selection.policies.shares import normalised
from clipper_frontend.selection.policies.single import SingleModel
from clipper_frontend.selection.selector import Drawn, single_selections
from clipper_frontend.selection.state import Counters

_BITS: Final = 64
_MASK: Final = 2**_BITS - 1
_LOG_RANGE: Final = _BITS * math.log(2)
_WORD_BYTES: Final = 8
_SALT_BYTES: Final = 16
#: From splitmix64: an odd number that mixes well.
_MIXER: Final = 0xBF58476D1CE4E5B9


class SplitParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Applications with the same `salt` divide their users alike; without one, each in its own way."""

    salt: str | None = None


class Split(SingleModel):
    """Divides queries by weights."""

    name: ClassVar[str] = "split"
    parameters: ClassVar[type[msgspec.Struct]] = SplitParameters
    takes_weights: ClassVar[bool] = True

    def __init__(self, setup: Setup, parameters: SplitParameters) -> None:
        super().__init__(setup)
        salt = setup.application if parameters.salt is None else parameters.salt
        weights = tuple(arm.weight for arm in setup.arms)
        self._selector = Sticky(self.arms, weights, salt)

    def selector(self, counters: Counters) -> Sticky:  # noqa: ARG002 (contract)
        """Return the same selector for any counters."""
        return self._selector


class Sticky:
    """Selects one arm: by the user, or at random if a query has no user."""

    __slots__ = ("_candidates", "_drawn", "_salt", "constant", "shares")

    def __init__(self, arms: tuple[str, ...], weights: tuple[float, ...], salt: str) -> None:
        self.shares = normalised(weights)
        self._drawn = Drawn(self.shares)
        self.constant = self._drawn.constant
        self._salt = _digest(salt.encode(), _SALT_BYTES)
        selections = single_selections(self.shares)
        # Each arm has a number of its own, which is odd, so that multiplication by it permutes 64-bit words.
        self._candidates = [
            (_word(_digest(arm.encode(), _WORD_BYTES)) | 1, 1 / weight, selection)
            for arm, weight, selection in zip(arms, weights, selections, strict=True)
            if weight > 0
        ]

    def select(self, user: str | None, random: Callable[[], float]) -> Selection:
        """Return one arm, the same for all queries of a user."""
        if user is None:
            return self._drawn.select(None, random)
        point = _word(blake2b(user.encode(), digest_size=_WORD_BYTES, salt=self._salt).digest())
        # Written out without calls, since it runs for each query: two arms take a microsecond.
        lowest, selected = math.inf, None
        for multiplier, mean, selection in self._candidates:
            mixed = point * multiplier & _MASK
            mixed = (mixed ^ mixed >> 32) * _MIXER & _MASK
            drawn = (_LOG_RANGE - math.log(mixed + 1)) * mean
            if drawn < lowest:
                lowest, selected = drawn, selection
        assert selected is not None
        return selected


def _digest(data: bytes, size: int) -> bytes:
    return blake2b(data, digest_size=size).digest()


def _word(digest: bytes) -> int:
    return int.from_bytes(digest, "big")
