"""The deadline queue against a sorted list."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clipper_frontend.query.prediction.queue import DeadlineQueue, Prediction

_NOBODY: Any = None


def _waiter(deadline: float) -> Any:
    return SimpleNamespace(deadline=deadline)


def _prediction(deadline: float) -> Prediction:
    return Prediction(None, b"", deadline, _NOBODY)


@given(
    st.lists(st.one_of(st.floats(0, 100), st.tuples(st.just("take"), st.integers(0, 5)))),
)
def test_behaves_like_a_stable_sorted_list(steps: list[Any]) -> None:
    queue = DeadlineQueue()
    model: list[Prediction] = []
    for step in steps:
        if isinstance(step, tuple):
            taken = queue.take(step[1])
            assert taken == model[: step[1]]
            del model[: step[1]]
        else:
            prediction = _prediction(step)
            queue.push(prediction)
            model.append(prediction)
            model.sort(key=lambda p: p.order_by)
        assert len(queue) == len(model)
        assert queue.first() is (model[0] if model else None)


@given(st.lists(st.floats(0, 100)), st.floats(0, 100))
def test_ahead_of_counts_those_not_later(deadlines: list[float], deadline: float) -> None:
    queue = DeadlineQueue()
    for each in deadlines:
        queue.push(_prediction(each))
    assert queue.ahead_of(deadline) == sum(each <= deadline for each in deadlines)


def test_drops_what_nobody_waits_for_and_stops_at_the_first_that_somebody_does() -> None:
    queue = DeadlineQueue()
    predictions = [_prediction(deadline) for deadline in (1.0, 2.0, 3.0, 4.0)]
    for prediction in predictions:
        queue.push(prediction)
    predictions[1].join(_waiter(9.0))
    assert queue.drop_before(3.5) == predictions[:1]
    assert queue.take(9) == predictions[1:]


def test_a_long_life_leaves_nothing_behind() -> None:
    queue = DeadlineQueue()
    for number in range(10_000):
        queue.push(_prediction(float(number)))
        queue.push(_prediction(float(number)))
        queue.take(1 if number < 1_000 else 2)
    held = len(queue._items)
    assert held <= 2 * len(queue) + 1025
    assert len(queue._deadlines) == held
