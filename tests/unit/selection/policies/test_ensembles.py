"""Ensembles: their answers, their confidence, and missing outputs."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clipper_frontend.selection.contract import Combined
from tests.unit.selection.learning import make

_ARMS = ["a", "b", "c"]


def _combined(value: Any, outputs: list[bytes | None]) -> Combined:
    policy = make(value, ["a", "b", "c", "d"][: len(outputs)])
    selection = policy.selector({}).constant
    assert selection is not None
    return policy.combine(selection, outputs)


def _number(combined: Combined) -> float:
    assert combined.output is not None
    return float(combined.output)


def test_a_mean_of_numbers() -> None:
    assert _number(_combined("mean", [b"1", b"2.5", b"4.0"])) == pytest.approx(2.5)
    weighted = {"name": "mean", "arms": {"a": 1, "b": 3}}
    assert _number(_combined(weighted, [b"0", b"1"])) == 0.75


def test_equal_outputs_are_the_answer_as_they_are() -> None:
    assert _combined("mean", [b"0.1", b"0.1", b"0.1"]) == Combined(b"0.1", 1.0)


@pytest.mark.parametrize(
    "output", [b'"cat"', b"true", b"null", b"[1]", b'{"y":1}', b"1e999", b"1" + b"0" * 400, b"[" * 5000]
)
@pytest.mark.parametrize("name", ["mean", "exp4"])
def test_a_mean_refuses_what_is_no_number_and_says_whose_it_is(name: str, output: bytes) -> None:
    value = {"name": name, "loss": "squared", "range": [0, 1]}
    combined = _combined(value, [None, b"1", output])
    assert (combined.output, combined.reason, combined.missing) == (None, "not_a_number", (0,))
    assert combined.detail is not None
    assert "c answered" in combined.detail


def test_a_vote_of_labels() -> None:
    assert _combined("majority_vote", [b'"x"', b'"y"', b'"y"']).output == b'"y"'
    weighted = {"name": "majority_vote", "arms": {"a": 5, "b": 2, "c": 2}}
    assert _combined(weighted, [b'"x"', b'"y"', b'"y"']).output == b'"x"'


def test_a_vote_compares_values() -> None:
    assert _combined("majority_vote", [b"2", b"1", b"1.0"]).output == b"1"
    same = _combined("majority_vote", [b'{"a":1,"b":2}', b'{"b": 2, "a": 1}', b"0"])
    assert same.output == b'{"a":1,"b":2}'
    assert _combined("majority_vote", [b'"1"', b"1", b"true"]).confidence == pytest.approx(1 / 3)


def test_between_equals_the_first_arm_wins() -> None:
    assert _combined("majority_vote", [b'"x"', b'"y"']).output == b'"x"'


def test_confidence_is_the_share_that_agrees_and_what_is_missing_agrees_with_nothing() -> None:
    assert _combined("majority_vote", [b'"x"', b'"x"', b'"y"', b'"x"']).confidence == 0.75
    combined = _combined("majority_vote", [b'"x"', None, b'"x"', b'"x"'])
    assert (combined.output, combined.confidence, combined.missing) == (b'"x"', 0.75, (1,))
    combined = _combined("mean", [b"3", None, b"3", None])
    assert (combined.output, combined.confidence, combined.missing) == (b"3", 0.5, (1, 3))


def test_confidence_of_a_mean_is_how_close_its_numbers_are() -> None:
    in_range = {"name": "mean", "loss": "squared", "range": [0, 10]}
    assert _combined(in_range, [b"0", b"10"]).confidence == 0.0
    assert _combined(in_range, [b"4", b"6"]).confidence == pytest.approx(0.8)
    assert _combined("mean", [b"90", b"110"]).confidence == pytest.approx(0.9)
    assert _combined("mean", [b"-1", b"1"]).confidence == 0.0
    assert _combined("mean", [b"0", b"0.0"]).confidence == 1.0


def test_too_little_confidence_gives_the_reason() -> None:
    value = {"name": "majority_vote", "parameters": {"min_confidence": 0.6}}
    combined = _combined(value, [b'"x"', b'"y"'])
    assert (combined.output, combined.reason, combined.confidence) == (None, "low_confidence", 0.5)
    assert combined.detail == "the confidence is 0.5, and at least 0.6 is asked for"
    assert _combined(value, [b'"x"', b'"x"', b'"y"']).output == b'"x"'


def test_models_without_weight_are_not_asked() -> None:
    selection = make({"name": "mean", "arms": {"a": 1, "b": 0, "c": 1}}, _ARMS).selector({}).constant
    assert selection is not None
    assert selection.asked == (0, 2)
    assert selection.only is None


outputs = st.lists(
    st.none()
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: json.dumps(value).encode()),
    min_size=1,
    max_size=4,
).filter(any)


@given(st.sampled_from(["mean", "majority_vote", "exp4"]), outputs)
@example("mean", [b"1.7976931348623157e308", b"1.7976931348623155e308", b"-1e308"])
def test_any_numbers_have_an_answer_and_a_confidence(name: str, given_outputs: list[bytes | None]) -> None:
    combined = _combined(name, given_outputs)
    assert combined.output is not None
    json.loads(combined.output)
    assert 0.0 <= combined.confidence <= 1.0
    assert combined.missing == tuple(i for i, output in enumerate(given_outputs) if output is None)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=4))
def test_a_mean_is_between_its_numbers(values: list[float]) -> None:
    combined = _combined("mean", [json.dumps(value).encode() for value in values])
    assert min(values) - 1e-6 <= _number(combined) <= max(values) + 1e-6


def test_observes_every_output_that_is_there() -> None:
    policy = make({"name": "majority_vote"}, _ARMS)
    selection = policy.selector({}).select(None, lambda: 0.0)
    increments = policy.observe(selection, {0: b'"x"', 1: None, 2: b'"y"'}, "x")
    assert increments == {"rounds": 1, "count:a": 1, "loss:a": 0, "count:c": 1, "loss:c": 1_000_000}


def test_without_a_loss_feedback_is_counted_and_not_measured() -> None:
    policy = make("mean", _ARMS)
    selection = policy.selector({}).select(None, lambda: 0.0)
    assert policy.observe(selection, {0: b"1"}, "anything") == {"rounds": 1}


def test_a_shadow_is_measured_beside_the_model_that_answers() -> None:
    policy = make({"name": "shadow", "parameters": {"primary": "b"}}, _ARMS)
    selection = policy.selector({}).constant
    assert selection is not None
    assert (selection.only, selection.shadows) == (1, (0, 2))
    increments = policy.observe(selection, {1: b"1", 2: b"0"}, 1)
    assert increments == {"rounds": 1, "count:b": 1, "loss:b": 0, "count:c": 1, "loss:c": 1_000_000}


# exp4.

_EXP4 = {"name": "exp4", "loss": "absolute", "range": [0, 1]}


def _selection(state: dict[str, float], value: Any = _EXP4) -> Any:
    return make(value, _ARMS).selector(state).constant


def test_exp4_counts_how_much_less_wrong_than_the_mean_a_model_was() -> None:
    increments = make(_EXP4, _ARMS).observe(_selection({}), {0: b"0", 1: b"0.3", 2: b"0.9"}, 0)
    assert [increments[f"exp4:{arm}"] for arm in _ARMS] == [400_000, 100_000, -500_000]


def test_exp4_neither_rewards_nor_blames_a_model_that_is_missing() -> None:
    policy = make(_EXP4, _ARMS)
    increments = policy.observe(_selection({}), {0: b"0", 1: b"0.5", 2: None}, 0)
    assert (increments["exp4:a"], increments["exp4:b"]) == (250_000, -250_000)
    assert "exp4:c" not in increments
    assert policy.observe(_selection({}), {2: None}, 0) == {"rounds": 1}


def test_exp4_starts_with_the_configured_weights() -> None:
    selection = _selection({}, _EXP4 | {"arms": {"a": 1, "b": 3, "c": 0}})
    assert selection.weights == pytest.approx((0.25, 0.75))


def test_exp4_gives_a_straggler_of_no_weight_the_word_when_it_is_alone() -> None:
    policy = make(_EXP4, _ARMS)
    selection = _selection({"rounds": 100.0, "exp4:a": -1e12, "exp4:b": 1e12})
    assert selection.weights[0] == 0.0
    assert policy.combine(selection, [b"0.5", None, None]) == Combined(b"0.5", 0.0, (1, 2))


@given(
    st.dictionaries(
        st.sampled_from(["rounds", *(f"exp4:{arm}" for arm in _ARMS)]),
        st.integers(-(10**19), 10**19).map(float) | st.floats(-1e7, 1e7),
    )
)
def test_exp4_has_finite_weights_that_sum_to_one(state: dict[str, float]) -> None:
    weights = _selection(state).weights
    assert math.fsum(weights) == pytest.approx(1.0, abs=1e-9)
    assert all(0.0 <= weight <= 1.0 for weight in weights)


def test_exp4_has_finite_weights_after_ten_million_rounds() -> None:
    policy = make(_EXP4, _ARMS)
    increments = policy.observe(_selection({}), {0: b"0", 1: b"0.5", 2: b"1"}, 0)
    weights = _selection({name: 1e7 * count for name, count in increments.items()}).weights
    assert all(map(math.isfinite, weights))
    assert weights[0] == pytest.approx(1.0)
