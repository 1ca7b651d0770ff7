"""Interrupts at the steps of start, deploy and stop of a local cluster, each repeated afterwards."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostile.budget import Budget, random_of
from tests.support.hostile.counts import Counts
from tests.support.hostile.interrupted import CALLS, Life
from tests.support.hostile.steps import Step


# What an interrupt comes upon between its making and its use is closed by the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupts(tmp_path: Path, counts: Counts) -> None:
    """Watch the calls of a life once; then interrupt each at its steps, as many as there is time for."""
    found = live(tmp_path / "0", counts, {})
    budget = Budget("interrupts")
    for number, steps in enumerate(interrupts(found), start=1):
        if not budget.is_left():
            break
        live(tmp_path / str(number), counts, steps)
    counts.check()


def live(folder: Path, counts: Counts, steps: dict[str, Step]) -> dict[str, list[Step]]:
    """Live one life in a folder of its own, and return the steps of its calls."""
    life = Life(folder, counts, steps, random_of("interrupts", folder.name))
    with life.cluster:
        try:
            life.live()
        except Exception:  # noqa: BLE001 (any error ends this life, and counts)
            counts.wrong(f"{traceback.format_exc(limit=-6)} after {steps}")
    return life.found


def interrupts(found: dict[str, list[Step]]) -> Iterator[dict[str, Step]]:
    """Yield a step for each call of a life, until all steps of all calls have had their turn."""
    orders = []
    for call in CALLS:
        steps = list(found[call])
        random_of("interrupts", call).shuffle(steps)
        orders.append(steps)
    for chosen in itertools.zip_longest(*orders):
        yield {call: step for call, step in zip(CALLS, chosen, strict=True) if step is not None}
