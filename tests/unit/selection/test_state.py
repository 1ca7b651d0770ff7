"""Counters: sums in any order, forgetting, and the start of users."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.report import state_report
from clipper_frontend.selection.state import Increments, Memory, add, started_from
from tests.unit.selection.learning import make

increments = st.dictionaries(st.sampled_from("abcd"), st.integers(-(10**12), 10**12))


@given(st.lists(st.tuples(st.sampled_from([0, 15, 30]), increments)), st.integers(0, 2**32))
def test_sums_are_exact_in_any_order_and_on_any_number_of_frontends(
    written: list[tuple[int, Increments]], seed: int
) -> None:
    order = random.Random(seed)
    together: dict[int, Increments] = defaultdict(dict)
    for bucket, given_increments in written:
        add(together[bucket], given_increments)
    frontends: list[dict[int, Increments]] = [defaultdict(dict), defaultdict(dict)]
    for bucket, given_increments in order.sample(written, len(written)):
        add(order.choice(frontends)[bucket], given_increments)
    merged: dict[int, Increments] = defaultdict(dict)
    for frontend in frontends:
        for bucket, sums in frontend.items():
            add(merged[bucket], sums)
    assert merged == together


def test_what_is_a_half_life_old_counts_half() -> None:
    memory = Memory(half_life_s=60)
    assert memory.bucket_s == 15
    assert [memory.bucket(now) for now in (0, 14.9, 15, 1000.5)] == [0, 0, 15, 990]
    buckets = {600: {"a": 8, "b": -3}, 660: {"a": 8}}
    assert memory.discounted(buckets, 660.0) == {"a": 12.0, "b": -1.5}
    assert memory.discounted(buckets, 720.0) == {"a": 6.0, "b": -0.75}


def test_a_clock_that_is_ahead_makes_nothing_count_more() -> None:
    assert Memory(60).discounted({660: {"a": 8}}, 600.0) == {"a": 8.0}


def test_what_is_older_than_its_lifetime_is_gone() -> None:
    memory = Memory(60)
    assert memory.lifetime_s == 615
    assert memory.discounted({0: {"a": 10**9}}, 615.0)["a"] == pytest.approx(10**9 / 2**10.25)
    assert memory.discounted({0: {"a": 10**9}}, 615.1) == {}


def test_who_never_forgets_has_one_bucket() -> None:
    memory = Memory(None)
    assert (memory.bucket_s, memory.lifetime_s) == (0, None)
    assert memory.bucket(12345.6) == 0
    assert memory.discounted({0: {"a": 3}}, 1e12) == {"a": 3.0}


@given(st.floats(4, 1e9), st.floats(0, 1e10))
def test_a_bucket_holds_now_and_is_at_most_a_quarter_of_a_half_life(half_life_s: float, now: float) -> None:
    memory = Memory(half_life_s)
    assert 1 <= memory.bucket_s <= half_life_s / 4 + 1e-9
    assert memory.bucket(now) <= now < memory.bucket(now) + memory.bucket_s
    assert memory.bucket(now) % memory.bucket_s == 0
    assert 0.8 < memory.weight(memory.bucket(now), now) <= 1.0


def test_a_user_starts_from_the_application_which_counts_for_so_many_rounds() -> None:
    application = {"rounds": 1000.0, "loss:a": 500.0}
    assert started_from(application, {}, 100) == {"rounds": 100.0, "loss:a": 50.0}
    own = {"rounds": 10.0, "loss:b": 4.0}
    assert started_from(application, own, 100) == {"rounds": 110.0, "loss:a": 50.0, "loss:b": 4.0}
    assert started_from({"rounds": 20.0}, own, 100) == {"rounds": 30.0, "loss:b": 4.0}
    assert started_from({}, own, 100) == own
    assert started_from(application, own, 0) == {"rounds": 10.0, "loss:a": 0.0, "loss:b": 4.0}


@pytest.mark.parametrize("name", ["epsilon_greedy", "exp3", "thompson", "exp4"])
def test_a_user_with_a_taste_of_one_s_own_outweighs_the_application(name: str) -> None:
    policy = make(name, ["a", "b"])
    selector = policy.selector({})

    def liking(best: int, rounds: int) -> dict[str, float]:
        sums: Increments = {}
        for number in (0.0, 0.99):
            selection = selector.select(None, itertools.repeat(number).__next__)
            outputs = {arm: b"1" if arm == best else b"0" for arm in (0, 1)}
            add(sums, policy.observe(selection, outputs, 1))
        return {name: float(rounds * count) for name, count in sums.items()}

    application = liking(0, 1000)
    new = policy.selector(started_from(application, {}, 100)).shares
    settled = policy.selector(started_from(application, liking(1, 200), 100)).shares
    assert new[0] > 0.7 > 0.3 > settled[0]


def test_the_report_holds_the_measurements_of_each_arm() -> None:
    config = PolicyConfig.parse({"name": "split", "arms": {"a": 3, "b": 1}})
    counters = {"rounds": 7.0, "count:a": 5.0, "loss:a": 1_250_000.0}
    assert state_report(config, config.policy("app", ["a", "b"]), counters) == {
        "policy": "split",
        "loss": "zero_one",
        "feedback": 7.0,
        "arms": {
            "a": {"share": 0.75, "feedback": 5.0, "mean_loss": 0.25},
            "b": {"share": 0.25, "feedback": 0.0, "mean_loss": None},
        },
    }
