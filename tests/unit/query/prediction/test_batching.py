"""The batch estimator against models whose times are known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_frontend.query.prediction.batching import MAX_BATCH_SIZE, BatchEstimator


def _learn(
    fixed_s: float, per_input_s: float, budget_s: float, batches: int = 60, noise: float = 0.0
) -> BatchEstimator:
    estimator, randomness = BatchEstimator(), random.Random(1)
    for _ in range(batches):
        count = max(1, estimator.fitting(budget_s))
        seconds = fixed_s + per_input_s * count
        estimator.observe(count, seconds * (1 + noise * randomness.gauss(0, 1)))
    return estimator


def test_starts_at_one_and_at_most_doubles() -> None:
    estimator, sizes = BatchEstimator(), []
    for _ in range(6):
        count = estimator.fitting(10.0)
        sizes.append(count)
        estimator.observe(count, 0.001 + 0.0001 * count)
    assert sizes == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize(
    ("fixed_s", "per_input_s"), [(0.001, 0.0001), (0.0, 0.001), (0.004, 0.00001), (0.002, 0.0)]
)
def test_finds_the_largest_batch_that_fits(fixed_s: float, per_input_s: float) -> None:
    budget_s = 0.01
    count = _learn(fixed_s, per_input_s, budget_s).fitting(budget_s)
    assert fixed_s + per_input_s * count <= budget_s * 1.001
    larger = count * 1.25 + 1
    assert fixed_s + per_input_s * larger > budget_s or count == MAX_BATCH_SIZE


def test_noise_is_kept_out_of_the_budget() -> None:
    estimator, randomness = _learn(0.001, 0.0001, 0.01, noise=0.1), random.Random(2)
    late = 0
    for _ in range(500):
        count = max(1, estimator.fitting(0.01))
        seconds = (0.001 + 0.0001 * count) * (1 + 0.1 * randomness.gauss(0, 1))
        late += seconds > 0.01
        estimator.observe(count, seconds)
    assert late < 25


def test_follows_a_model_that_gets_slower_and_one_that_recovers() -> None:
    estimator = _learn(0.001, 0.0001, 0.01)
    for slow in (10, 1):
        for _ in range(100):
            count = max(1, estimator.fitting(0.01))
            estimator.observe(count, slow * (0.001 + 0.0001 * count))
        count = max(1, estimator.fitting(0.01))
        assert estimator.seconds(count) == pytest.approx(slow * (0.001 + 0.0001 * count), rel=0.3)
    assert estimator.fitting(0.01) > 50


def test_nothing_fits_into_no_time() -> None:
    estimator = _learn(0.001, 0.0001, 0.01)
    assert estimator.fitting(0.0) == 0
    assert estimator.fitting(-1.0) == 0
    assert estimator.fitting(0.0005) == 0


@given(st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 100)), min_size=1), st.floats(-1, 100))
def test_any_history_gives_sane_figures(history: list[tuple[int, float]], budget_s: float) -> None:
    estimator = BatchEstimator()
    for count, seconds in history:
        estimator.observe(count, seconds)
    fitting = estimator.fitting(budget_s)
    assert 0 <= fitting <= min(2 * max(count for count, _ in history), MAX_BATCH_SIZE)
    assert estimator.seconds(1) <= estimator.seconds(2) + 1e-9
    assert estimator.expected_s(1) <= estimator.seconds(1)
