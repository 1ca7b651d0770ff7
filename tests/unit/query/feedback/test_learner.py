"""The learner of one application: its selectors for each user, and the additions of feedback."""

from __future__ import annotations

import pytest

from clipper_frontend.errors import UnfitLabel
from clipper_frontend.query.feedback.learner import USER_LIFETIME_S, PolicyLearner
from clipper_frontend.query.feedback.memory import Remembered
from clipper_frontend.registry.selection import StateKey
from clipper_frontend.selection.selector import single_selection
from clipper_frontend.selection.state import add
from tests.unit.query.learners import MODELS, TestedLearner

NOW = 1_800_000_000.0
GOOD, BAD = single_selection(0), single_selection(1)
KEY = StateKey("app", "zero_one")


def learnt(tested: TestedLearner, *, good_wins: bool, rounds: int = 100) -> dict[int, dict[str, int]]:
    """Return buckets in which one of the two models was always right, and the other one always wrong."""
    counts: dict[str, int] = {}
    bucket = 0
    for selection, index in ((GOOD, 0), (BAD, 1)):
        right = good_wins == (index == 0)
        for _ in range(rounds):
            outputs: dict[int, bytes | None] = {index: b"1" if right else b"0"}
            for addition in tested.learner.observe(selection, outputs, 1, None, NOW):
                add(counts, addition.increments)
                bucket = addition.bucket
    return {bucket: counts}


def is_stale(learner: PolicyLearner) -> bool:
    return learner.stale


def test_counters_decide_what_is_selected() -> None:
    tested = TestedLearner()
    assert tested.learner.selector(None).shares == pytest.approx((0.5, 0.5))
    tested.learner.know(learnt(tested, good_wins=True), NOW)
    good, bad = tested.learner.selector(None).shares
    assert good > 0.9 > 0.1 > bad > 0


def test_a_user_is_answered_by_the_application_until_the_users_own_state_is_known() -> None:
    tested = TestedLearner()
    learner = tested.learner
    learner.know(learnt(tested, good_wins=True), NOW)
    assert learner.selector("ann") is learner.selector(None)
    assert tested.wanted == 1
    assert learner.users.take_wanted(100) == ["ann"]
    learner.know_user("ann", learnt(tested, good_wins=False, rounds=1000), NOW)
    good, bad = learner.selector("ann").shares
    assert bad > 0.9 > 0.1 > good
    assert learner.selector(None).shares[0] > 0.9
    assert tested.wanted == 1


def test_a_user_without_own_state_follows_the_application() -> None:
    tested = TestedLearner()
    learner = tested.learner
    learner.selector("ann")
    learner.know_user("ann", {}, NOW)
    learner.know(learnt(tested, good_wins=True), NOW)
    assert learner.selector("ann") is learner.selector(None)
    assert learner.users.take_wanted(100) == ["ann"]


def test_a_policy_that_does_not_learn_wants_no_users() -> None:
    tested = TestedLearner(name="split")
    assert tested.learner.selector("ann") is tested.learner.selector(None)
    assert tested.wanted == 0


def test_feedback_adds_to_the_application_and_to_its_user() -> None:
    learner = TestedLearner().learner
    everybody, ann = learner.observe(GOOD, {0: b"1"}, 1, "ann", NOW)
    assert (everybody.key, ann.key) == (KEY, KEY._replace(user="ann"))
    assert everybody.increments == ann.increments == {"rounds": 1, "count:better": 1, "loss:better": 0}
    assert everybody.bucket == learner.config.memory.bucket(NOW)
    lifetime_s = learner.config.memory.lifetime_s
    assert lifetime_s is not None
    assert everybody.expires_at == ann.expires_at == everybody.bucket + lifetime_s


def test_without_a_user_and_where_nothing_is_learnt_there_is_one_state() -> None:
    assert len(TestedLearner().learner.observe(GOOD, {0: b"1"}, 1, None, NOW)) == 1
    assert len(TestedLearner(name="split").learner.observe(GOOD, {0: b"1"}, 1, "ann", NOW)) == 1


def test_a_user_is_forgotten_in_the_end_also_where_the_policy_forgets_nothing() -> None:
    learner = TestedLearner(name="thompson", half_life_s=None).learner
    everybody, ann = learner.observe(GOOD, {0: b"1"}, 1, "ann", NOW)
    assert everybody.expires_at is None
    assert ann.expires_at == int(NOW) + USER_LIFETIME_S


def test_an_output_that_is_not_known_teaches_a_bandit_nothing() -> None:
    assert TestedLearner().learner.observe(GOOD, {}, 1, "ann", NOW) == []


def test_a_label_that_the_loss_cannot_measure_is_refused() -> None:
    learner = TestedLearner(name="thompson", loss="squared", range=[0, 1]).learner
    with pytest.raises(UnfitLabel):
        learner.observe(GOOD, {0: b"1"}, "cat", None, NOW)


def test_written_feedback_is_counted_for_metrics_and_read_again() -> None:
    tested = TestedLearner()
    learner = tested.learner
    learner.know_user("ann", {}, NOW)
    learner.counted(learner.observe(GOOD, {0: b"1"}, 1, "ann", NOW))
    learner.counted(learner.observe(BAD, {1: b"1"}, 0, "unknown here", NOW))
    learner.counted([])
    good, bad = (tested.statistics.arm(model) for model in MODELS)
    assert (good.measured, good.reward, bad.measured, bad.reward) == (1, 1.0, 1, 0.0)
    assert learner.users.take_wanted(100) == ["ann"]


def test_answers_are_remembered_with_their_learner_and_user() -> None:
    tested = TestedLearner()
    tested.learner.remember(7, "ann", GOOD, {0: b"1"})
    taken = tested.memory.take(7)
    assert isinstance(taken, Remembered)
    assert (taken.learner, taken.selection, taken.outputs, taken.user) == (
        tested.learner,
        GOOD,
        {0: b"1"},
        "ann",
    )


def test_users_who_are_asked_for_stay_and_their_number_is_bounded() -> None:
    users = TestedLearner(max_users=10).learner.users
    for number in range(10):
        users.put(f"user {number}", None)
        users.put(f"user {number}", None)  # read again, and not asked for since
    for number in range(100, 105):
        assert users.get("user 3") is not None
        users.put(f"user {number}", None)
        assert len(users) == 10
    assert users.get("user 3") is not None
    assert users.get("user 0") is None


def test_users_who_are_all_in_use_give_way_too() -> None:
    users = TestedLearner(max_users=20).learner.users
    for number in range(30):
        users.put(f"user {number}", None)
    assert len(users) == 20
    assert users.get("user 29") is not None


def test_only_users_who_were_asked_for_are_read_again_and_not_too_many_wait() -> None:
    users = TestedLearner(max_users=3).learner.users
    for user in ("ann", "bob"):
        users.put(user, None)
        users.put(user, None)
    users.get("bob")
    users.want_again()
    assert users.take_wanted(100) == ["bob"]
    for number in range(5):
        users.want(str(number))
    assert users.take_wanted(2) == ["0", "1"]
    assert users.are_wanted
    assert users.take_wanted(2) == ["2"]
    assert not users.are_wanted


def test_users_known_to_the_policy_before_are_read_for_the_next() -> None:
    before, after = TestedLearner().learner.users, TestedLearner().learner.users
    before.put("ann", None)
    after.want_those_of(before)
    assert after.take_wanted(10) == ["ann"]
    assert not before.are_wanted


def test_a_selector_is_made_when_counters_have_changed_or_aged() -> None:
    tested = TestedLearner()
    learner = tested.learner
    assert is_stale(learner)
    buckets = learnt(tested, good_wins=True)
    learner.know(buckets, NOW)
    made = learner.selector(None)
    assert not is_stale(learner)
    half_life_s = learner.config.memory.half_life_s
    assert half_life_s is not None
    learner.know(dict(buckets), NOW + half_life_s / 1000)
    assert learner.selector(None) is made
    learner.know(buckets, NOW + half_life_s)
    assert learner.selector(None) is not made
    made = learner.selector(None)
    learner.know({}, NOW + half_life_s)
    assert learner.selector(None) is not made
    learner.counted(learner.observe(GOOD, {0: b"1"}, 1, None, NOW))
    assert is_stale(learner)
