"""The memory of answers: feedback counts once, and the bounds hold in real bytes and in time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from clipper_frontend.query.feedback.memory import (
    ENTRY_OVERHEAD_BYTES,
    OUTPUT_OVERHEAD_BYTES,
    FeedbackMemory,
    Gone,
    Remembered,
)
from clipper_frontend.selection.contract import Outputs
from clipper_frontend.selection.selector import single_selection
from tests.unit.query.learners import Clock, TestedLearner

SELECTION = single_selection(0)
LEARNER = TestedLearner().learner
LIFETIME_S = 60.0


def answered(outputs: Outputs | bytes | None = b"1", user: str | None = None) -> Remembered:
    return Remembered(LEARNER, SELECTION, outputs, user)


def memory_of(entries: int, clock: Clock | None = None) -> FeedbackMemory:
    """Return a memory with room for so many entries in each half, of one byte of output each."""
    return FeedbackMemory(
        2 * entries * (ENTRY_OVERHEAD_BYTES + OUTPUT_OVERHEAD_BYTES + 1), LIFETIME_S, clock or Clock()
    )


def test_an_answer_is_taken_once_and_then_used_up() -> None:
    memory, kept = memory_of(10), answered()
    memory.remember(7, kept)
    assert memory.take(7) is kept
    assert memory.take(7) is Gone.TAKEN
    memory.use_up(7)
    assert memory.take(7) is Gone.USED
    assert memory.take(8) is Gone.FORGOTTEN


def test_an_answer_that_was_put_back_can_be_taken_again() -> None:
    memory, kept = memory_of(10), answered()
    memory.remember(7, kept)
    memory.take(7)
    memory.put_back(7, kept)
    assert memory.take(7) is kept


def test_the_oldest_go_when_there_is_no_room() -> None:
    memory = memory_of(10)
    for query_id in range(25):
        memory.remember(query_id, answered())
        assert len(memory) <= 20
    assert [memory.take(query_id) for query_id in (0, 9)] == [Gone.FORGOTTEN] * 2
    assert all(isinstance(memory.take(query_id), Remembered) for query_id in range(10, 25))


def test_large_outputs_take_the_room_of_many() -> None:
    memory = memory_of(10)
    memory.remember(1, answered(b"x" * 5 * ENTRY_OVERHEAD_BYTES))
    for query_id in range(2, 8):
        memory.remember(query_id, answered())
    assert len(memory._young) < 7


def test_an_answer_larger_than_the_memory_and_any_answer_if_it_is_off_is_not_kept() -> None:
    small, off = memory_of(1), FeedbackMemory(0, LIFETIME_S, Clock())
    small.remember(1, answered(b"too large"))
    off.remember(1, answered())
    assert small.take(1) is off.take(1) is Gone.FORGOTTEN


def test_nothing_is_kept_for_less_than_half_of_the_lifetime_or_for_more_than_all_of_it() -> None:
    clock = Clock()
    memory = memory_of(1000, clock)
    remembered_at: dict[int, float] = {}
    for query_id in range(100):
        clock.now += 1.7
        memory.remember(query_id, answered())
        remembered_at[query_id] = clock.now
        for known, at in remembered_at.items():
            age_s = clock.now - at
            half = memory._half_of(known)
            assert half is not None or age_s >= LIFETIME_S / 2
            assert half is None or age_s < LIFETIME_S


def test_an_answer_too_old_is_gone_even_if_no_query_has_come_since() -> None:
    clock = Clock()
    memory = memory_of(10, clock)
    memory.remember(1, answered())
    clock.now += LIFETIME_S
    assert memory.take(1) is Gone.FORGOTTEN
    assert len(memory) == 0


def test_an_answer_that_ages_while_taken_is_used_up_or_put_back_in_its_new_half() -> None:
    memory, kept = memory_of(1), answered()
    memory.remember(1, kept)
    memory.remember(2, answered())
    memory.take(1)
    memory.put_back(1, kept)
    assert memory.take(1) is kept
    memory.remember(3, answered())
    memory.put_back(1, kept)
    memory.use_up(1)
    assert memory.take(1) is Gone.FORGOTTEN


def test_outputs_are_returned_by_the_arm_that_gave_them() -> None:
    several: Outputs = {0: b"1", 1: None}
    assert answered(b"1").by_arm() == {0: b"1"}
    assert answered(None).by_arm() == {0: None}
    assert answered(several).by_arm() is several


@pytest.mark.parametrize(
    "make",
    [
        lambda number: answered(b"%d" % number),
        lambda number: answered(b"%d" % number, f"user {number} \N{GREEK SMALL LETTER ALPHA}" * 10),
        lambda number: answered({0: b"%d" % number}),
        lambda number: answered({index: b"%d" % (number + index) for index in range(11)}),
    ],
    ids=["one output", "a user", "one of several", "eleven"],
)
def test_its_bound_holds_in_real_bytes(make: Callable[[int], Remembered]) -> None:
    count = 5_500  # the dictionary has just grown
    memory = FeedbackMemory(10**9, LIFETIME_S, Clock())
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            memory.remember((5 << 32) + number, make(10**8 + number))
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.7 * memory._young_bytes < used <= memory._young_bytes
