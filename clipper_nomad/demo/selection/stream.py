"""The queries: pictures, some with the lower half inverted as by a broken camera. No I/O.

A seed always gives the same queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipper_nomad.demo.selection.models import BRIGHTEST, LOWER_HALF, Pictures, Trained

_SEED = 2017
#: The noise's standard deviation: it makes every picture different, and errors more frequent.
_NOISE = BRIGHTEST / 6.4


@dataclass(frozen=True)
class Stream:
    """Queries in order, their right answers, and the rounds in which the lower half is inverted."""

    pictures: Pictures
    labels: Sequence[int]
    inverted: range

    def __len__(self) -> int:
        return len(self.labels)


def inverted_rounds(rounds: int) -> range:
    """Return the fourth to sixth tenth."""
    return range(rounds * 3 // 10, rounds * 6 // 10)


def make_stream(trained: Trained, rounds: int) -> Stream:
    """Return so many queries, drawn from the pictures that no model was trained on."""
    random = np.random.default_rng(_SEED)
    drawn = random.integers(len(trained.labels), size=rounds)
    pictures = trained.pictures[drawn] + random.normal(0.0, _NOISE, (rounds, trained.pictures.shape[1]))
    inverted = inverted_rounds(rounds)
    return Stream(with_inverted(pictures, inverted), trained.labels[drawn].tolist(), inverted)


def with_inverted(pictures: Pictures, rounds: range) -> Pictures:
    """Return the pictures, and of these rounds with bright and dark exchanged in the lower half."""
    pictures = pictures.copy()
    pictures[rounds.start : rounds.stop, LOWER_HALF] *= -1
    pictures[rounds.start : rounds.stop, LOWER_HALF] += BRIGHTEST
    return pictures
