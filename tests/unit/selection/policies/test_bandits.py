"""Bandits: probabilities from any state, and the increments of feedback."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clipper_frontend.selection.contract import Policy
from clipper_frontend.selection.policies.shares import normalised, softmax
from clipper_frontend.selection.policies.thompson import probabilities_of_best
from clipper_frontend.selection.selector import Drawn, single_selection
from tests.unit.selection.learning import make

_BANDITS = ["epsilon_greedy", "exp3", "thompson"]
_ARMS = ["a", "b", "c", "d", "e"]
_KINDS = ["count", "loss", "exp3", "exp4"]

#: A larger count than 10^7 rounds can lead to: each adds at most 10^6 times the inverse of the smallest
#: probability.
_FARTHEST = 10**19
counters = st.dictionaries(
    st.sampled_from(["rounds", "count:gone", *(f"{kind}:{arm}" for kind in _KINDS for arm in _ARMS)]),
    st.integers(-_FARTHEST, _FARTHEST).map(float) | st.floats(-1e7, 1e7),
)
explorations = st.sampled_from([1e-4, 0.01, 0.1, 1.0])


@given(st.sampled_from(_BANDITS), explorations, st.integers(1, 5), counters)
@example("exp3", 0.1, 5, {"exp3:a": 1e19, "exp3:b": -1e19})
@example("thompson", 0.1, 5, {"count:a": 1e19, "loss:a": 0.0, "count:b": 1e19, "loss:b": 1e25})
@example("thompson", 0.1, 2, {"count:a": 1e8, "loss:a": 0.0})
@example("thompson", 0.1, 1, {"count:a": 1637672591771088.0})
@example("thompson", 1e-4, 2, {"count:a": 1e7, "loss:a": 5e12, "count:b": 1e7, "loss:b": 5e12})
def test_probabilities_sum_to_one_and_stay_above_the_floor(
    name: str, exploration: float, arm_count: int, state: dict[str, float]
) -> None:
    policy = make({"name": name, "parameters": {"exploration": exploration}}, _ARMS[:arm_count])
    shares = policy.selector(state).shares
    assert len(shares) == arm_count
    assert math.fsum(shares) == pytest.approx(1.0, abs=1e-9)
    assert all(share >= exploration / arm_count for share in shares)


@pytest.mark.parametrize("name", _BANDITS)
def test_ten_million_rounds_leave_finite_shares_and_the_best_arm_in_front(name: str) -> None:
    policy = make(name, _ARMS)
    sums: Counter[str] = Counter()
    # Every arm drawn two million times with its smallest probability: the increments of one feedback, times
    # that number.
    for arm in range(5):
        selection = single_selection(arm, probability=policy.selector({}).shares[arm] / 10)
        for output, times in ((b"1", 200_000 * (arm + 5)), (b"0", 200_000 * (5 - arm))):
            for counter, count in policy.observe(selection, {arm: output}, 1).items():
                sums[counter] += times * count
    assert sums["rounds"] == 10_000_000
    # As Redis stores them.
    assert all(abs(count) < 2**63 for count in sums.values())
    shares = policy.selector({name: float(count) for name, count in sums.items()}).shares
    assert all(map(math.isfinite, shares))
    assert shares[4] == max(shares) > 0.8


@pytest.mark.parametrize("name", _BANDITS)
def test_all_arms_are_equal_where_nothing_is_known(name: str) -> None:
    assert make(name, _ARMS).selector({}).shares == pytest.approx([0.2] * 5)


@pytest.mark.parametrize("name", _BANDITS)
def test_a_lost_answer_counts_as_the_worst_and_an_unknown_one_not_at_all(name: str) -> None:
    policy, selection = make(name, _ARMS), single_selection(1, probability=0.5)
    lost = policy.observe(selection, {1: None}, 1)
    assert lost == policy.observe(selection, {1: b"0"}, 1)
    assert lost["loss:b"] == 1_000_000
    assert policy.observe(selection, {}, 1) == {}
    assert policy.observe(selection, {0: b"1"}, 1) == {}


@pytest.mark.parametrize("name", _BANDITS)
def test_counts_what_the_drawn_arm_lost(name: str) -> None:
    policy = make({"name": name, "loss": "absolute", "range": [0, 10]}, _ARMS)
    increments = policy.observe(single_selection(2, probability=0.25), {2: b"3.5"}, 6)
    counted = {counter: count for counter, count in increments.items() if not counter.startswith("exp3")}
    assert counted == {"rounds": 1, "count:c": 1, "loss:c": 250_000}


def test_exp3_weighs_a_reward_by_the_probability_of_its_arm() -> None:
    policy = make("exp3", ["a", "b"])
    increments = policy.observe(single_selection(0, probability=0.25), {0: b"1"}, 1)
    assert (increments["exp3:a"], increments["exp3:b"]) == (3_000_000, -1_000_000)
    # As in figure 1 of Auer and others: w = exp(γ G / K), p = (1 - γ) w / Σw + γ / K.
    weight = math.exp(0.1 * 4 / 2)
    shares = policy.selector({name: float(count) for name, count in increments.items()}).shares
    assert shares[0] == pytest.approx(0.9 * weight / (weight + 1) + 0.05)


def test_exp3_lets_a_new_arm_start_level_with_what_the_others_earn() -> None:
    old, rng = make("exp3", ["a", "b"]), random.Random(1)
    sums: Counter[str] = Counter()
    for _ in range(2000):
        selection = old.selector({name: float(count) for name, count in sums.items()}).select(
            None, rng.random
        )
        sums.update(old.observe(selection, {selection.asked[0]: b"1"}, 1))
    state = {name: float(count) for name, count in sums.items()}
    new = make("exp3", ["a", "b", "new"]).selector(state).shares
    assert 0.1 < new[2] < 0.6


@pytest.mark.parametrize(
    ("successes", "failures"),
    [
        ([1, 1], [1, 1]),
        ([20, 25, 5], [80, 75, 15]),
        ([901, 911, 1], [101, 91, 1]),
        ([1, 500_001, 500_601], [1, 500_001, 499_401]),
        ([3, 1], [1, 10_000]),
        ([1.5, 2.5], [3.25, 4.0]),
    ],
)
def test_thompson_draws_by_the_probability_of_being_the_best(
    successes: list[float], failures: list[float]
) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.beta(successes, failures, size=(40_000, len(successes))).argmax(axis=1)
    expected = np.bincount(drawn, minlength=len(successes)) / len(drawn)
    assert probabilities_of_best(successes, failures) == pytest.approx(expected, abs=0.012)


def test_epsilon_greedy_takes_the_best_and_explores() -> None:
    policy = make({"name": "epsilon_greedy", "parameters": {"exploration": 0.2}}, ["a", "b"])
    state = {"count:a": 10.0, "loss:a": 5e6, "count:b": 10.0, "loss:b": 4e6}
    assert policy.selector(state).shares == pytest.approx((0.1, 0.9))


def test_epsilon_greedy_prefers_no_arm_for_being_unknown() -> None:
    policy = make("epsilon_greedy", ["a", "b", "new"])
    state = {"count:a": 100.0, "loss:a": 3e7, "count:b": 100.0, "loss:b": 5e7}
    assert policy.selector(state).shares[0] > 0.9


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8).filter(any), st.floats(0, 1, exclude_max=True))
def test_draws_only_arms_with_a_share(weights: list[float], number: float) -> None:
    shares = normalised(weights)
    selection = Drawn(shares).select(None, lambda: number)
    assert selection.only is not None
    assert selection.probability == shares[selection.only] > 0


def test_draws_in_proportion() -> None:
    drawn, draw = Drawn((0.5, 0.0, 0.2, 0.3)), random.Random(2).random
    counts = Counter(drawn.select(None, draw).only for _ in range(10_000))
    assert [counts[arm] / 10_000 for arm in range(4)] == pytest.approx([0.5, 0.0, 0.2, 0.3], abs=0.02)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_softmax_of_any_scores_is_shares(scores: list[float]) -> None:
    shares = softmax(scores)
    assert math.fsum(shares) == pytest.approx(1.0, abs=1e-12)
    assert shares[scores.index(max(scores))] == max(shares)


def _observed(policy: Policy, label: object) -> dict[str, int]:
    return policy.observe(single_selection(0, probability=0.5), {0: b'"cat"'}, label)


def test_an_output_that_cannot_be_measured_is_as_wrong_as_can_be() -> None:
    policy = make({"name": "exp3", "loss": "squared", "range": [0, 1]}, ["a", "b"])
    assert _observed(policy, 0.5)["loss:a"] == 1_000_000
