"""The policy `split`: proportions, and the users who move when weights change."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Policy

_USERS = [f"user-{number}" for number in range(120)]

weights = st.dictionaries(
    st.sampled_from(["a", "b", "c:1", "c:2", "d"]), st.sampled_from([0.01, 0.5, 1.0, 3.0, 90.0]), min_size=1
)


def _split(arms: dict[str, float], application: str = "app", salt: str | None = None) -> Policy:
    models = [name.partition(":")[0] for name in arms]
    value = {"name": "split", "arms": arms, "parameters": {"salt": salt} if salt else {}}
    return PolicyConfig.parse(value).policy(application, models)


def _arm_of(policy: Policy, user: str) -> str:
    arm = policy.selector({}).select(user, lambda: 0.0).only
    assert arm is not None
    return policy.arms[arm]


def _arms_of(policy: Policy) -> dict[str, str]:
    return {user: _arm_of(policy, user) for user in _USERS}


def _is_within_bounds(counts: Counter[str], arms: dict[str, float]) -> bool:
    """Return whether each count is within 4.5 standard deviations, beyond which one in 10^5 is by chance."""
    total, number = sum(arms.values()), sum(counts.values())
    return all(
        abs(counts[arm] - number * (share := weight / total)) <= 4.5 * math.sqrt(number * share * (1 - share))
        for arm, weight in arms.items()
    )


@pytest.mark.parametrize(
    "arms",
    [
        {"a": 1, "b": 1},
        {"a": 99, "b": 1},
        {"a:1": 0.2, "a:2": 0.3, "a:3": 0.5},
        {"a": 1, "b": 2, "c": 3, "d": 4, "e": 0},
        dict.fromkeys("abcdefghij", 1),
    ],
    ids=lambda arms: ",".join(arms),
)
@pytest.mark.parametrize("has_user", [True, False], ids=["users", "draws"])
def test_gives_its_proportions(arms: dict[str, float], has_user: bool) -> None:
    policy, draw = _split(arms), random.Random(5).random
    selector = policy.selector({})
    counts = Counter(
        policy.arms[selector.select(str(number) if has_user else None, draw).asked[0]]
        for number in range(10_000)
    )
    assert _is_within_bounds(counts, arms)
    assert set(counts) == {arm for arm, weight in arms.items() if weight}


def test_arms_of_two_applications_are_independent_of_each_other() -> None:
    arms = {"a": 1.0, "b": 1.0}
    one, other = _split(arms), _split(arms, application="another")
    both = Counter(f"{_arm_of(one, str(user))}{_arm_of(other, str(user))}" for user in range(4000))
    assert _is_within_bounds(both, {"aa": 1, "ab": 1, "ba": 1, "bb": 1})


def test_applications_with_the_same_salt_divide_users_alike() -> None:
    arms = {"a": 1.0, "b": 2.0}
    assert _arms_of(_split(arms, salt="s")) == _arms_of(_split(arms, application="another", salt="s"))
    assert _arms_of(_split(arms, salt="s")) != _arms_of(_split(arms, salt="t"))


@given(weights)
def test_a_user_stays_whatever_the_order_and_the_scale_of_the_weights(arms: dict[str, float]) -> None:
    # A power of two changes no digit.
    same = {arm: 4 * weight for arm, weight in reversed(arms.items())}
    assert _arms_of(_split(arms)) == _arms_of(_split(same))


@given(weights, st.sampled_from([0.01, 0.5, 1.0, 3.0, 90.0]))
def test_a_new_arm_only_takes_users(arms: dict[str, float], weight: float) -> None:
    before, after = _arms_of(_split(arms)), _arms_of(_split(arms | {"new": weight}))
    assert all(after[user] in (before[user], "new") for user in _USERS)


@given(weights, st.data(), st.sampled_from([1.1, 2.0, 100.0]))
def test_an_arm_that_grows_only_takes_users(arms: dict[str, float], data: st.DataObject, by: float) -> None:
    grown = data.draw(st.sampled_from(sorted(arms)))
    before, after = _arms_of(_split(arms)), _arms_of(_split(arms | {grown: arms[grown] * by}))
    assert all(after[user] in (before[user], grown) for user in _USERS)


@given(weights, st.data())
def test_an_arm_that_goes_only_gives_its_own_users(arms: dict[str, float], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(arms)))
    rest = {arm: weight for arm, weight in arms.items() if arm != gone} | {"stays": 1.0}
    before, after = _arms_of(_split(arms | {"stays": 1.0})), _arms_of(_split(rest))
    assert all(after[user] == before[user] for user in _USERS if before[user] != gone)
    assert before == _arms_of(_split(rest | {gone: arms[gone]}))


def test_a_user_is_where_any_frontend_of_any_release_finds_it() -> None:
    policy = _split({"a": 1, "b": 1, "c": 2})
    users = ("1", "2", "3", "4", "ann", "bob", "Ünal", "")
    assert "".join(_arm_of(policy, user) for user in users) == "caccaacc"


def test_one_arm_with_all_the_weight_is_constant() -> None:
    constant = _split({"a": 0, "b": 5}).selector({}).constant
    assert constant is not None
    assert constant.only == 1
    assert constant.probability == 1.0
    assert _split({"a": 1, "b": 5}).selector({}).constant is None


def test_the_probability_of_a_selection_is_the_share() -> None:
    selector = _split({"a": 1, "b": 3}).selector({})
    assert selector.shares == (0.25, 0.75)
    for user in (None, "x", "y", "z"):
        selection = selector.select(user, lambda: 0.5)
        assert selection.probability == selector.shares[selection.asked[0]]
