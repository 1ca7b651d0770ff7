"""Configurations of policies: their forms, and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Arm
from clipper_frontend.selection.losses import Loss, LossKind
from clipper_frontend.selection.table import POLICIES

_FULL: dict[str, Any] = {
    "name": "split",
    "arms": {"wine:1": 9, "wine:2": 1},
    "loss": "squared",
    "range": [0, 10],
    "half_life_s": 600,
    "user_rounds": 5,
    "parameters": {"salt": "spring"},
}


def test_reads_everything() -> None:
    config = PolicyConfig.parse(_FULL)
    assert config.name == "split"
    assert config.arms == (Arm("wine:1", 9.0), Arm("wine:2", 1.0))
    assert config.loss == Loss(LossKind.SQUARED, 0.0, 10.0)
    assert (config.memory.half_life_s, config.user_rounds) == (600, 5)
    assert config.policy("app", ["wine"]).selector({}).shares == (0.9, 0.1)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "exp3",
        _FULL,
        {"name": "exp4", "half_life_s": None},
        {"name": "thompson", "arms": ["a", "b"], "parameters": {"exploration": 0.2}},
        {"name": "mean", "loss": "absolute", "range": [-1.5, 1e6]},
        {"name": "shadow", "arms": ["a", "b"], "parameters": {"primary": "b"}},
    ],
)
def test_is_written_as_it_is_read(value: Any) -> None:
    config = PolicyConfig.parse(value)
    assert PolicyConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("value", [None, "", {}, "default", "DefaultOutputSelectionPolicy"])
def test_the_default_is_clippers(value: Any) -> None:
    config = PolicyConfig.parse(value)
    selection = config.policy("app", ["m"]).selector({}).constant
    assert config.name == "default"
    assert selection is not None
    assert selection.only == 0


def test_without_arms_the_linked_models_are_the_arms() -> None:
    policy = PolicyConfig.parse("split").policy("app", {"b", "a"})
    assert policy.arms == ("a", "b")
    assert policy.selector({}).shares == (0.5, 0.5)


def test_two_models_without_a_policy_for_them_are_refused_with_the_choices() -> None:
    with pytest.raises(PolicyRefusal) as refusal:
        PolicyConfig.parse(None).policy("wine", ["b", "a"])
    assert str(refusal.value) == (
        "the policy default answers with one model, and application 'wine' would have 2: a, b. Choose "
        "a policy for several: split, shadow, epsilon_greedy, exp3, thompson, mean, majority_vote, exp4"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            5,
            "the policy cannot be read: Expected `object`, got `int`. It is an object with the keys name,",
        ),
        ({"nom": "x"}, "Object contains unknown field `nom`"),
        ("best", "unknown policy 'best': use one of default, split, shadow, epsilon_greedy, exp3, thompson"),
        ({"name": "exp3", "arms": []}, "arms must be one model at least"),
        ({"name": "exp3", "arms": ["a", "a"]}, "each only once"),
        ({"name": "exp3", "arms": ["a:1:2"]}, "'a:1:2' names no arm: an arm is a linked model, or"),
        ({"name": "exp3", "arms": [":1"]}, "names no arm"),
        ({"name": "exp3", "arms": ["a:"]}, "names no arm"),
        (
            {"name": "split", "arms": {"a": -1}},
            "the weight of a is -1: a weight is 0, or from 1e-09 to 1e+09",
        ),
        ({"name": "split", "arms": {"a": 1e300}}, "the weight of a is 1e+300"),
        ({"name": "split", "arms": {"a": float("nan")}}, "the weight of a is nan"),
        ({"name": "split", "arms": {"a": 0, "b": 0}}, "one of the weights must be above 0"),
        (
            {"name": "exp3", "arms": {"a": 1, "b": 2}},
            "the policy exp3 takes no weights: these do: split, mean,",
        ),
        (
            {"name": "exp3", "loss": "hinge"},
            "unknown loss 'hinge': use one of zero_one, squared, absolute, log",
        ),
        ({"name": "exp3", "loss": "squared"}, "the loss squared needs a range: "),
        ({"name": "exp3", "range": [0, 1]}, "the loss zero_one takes no range: squared and absolute do"),
        ({"name": "mean", "range": [0, 1]}, "a range says nothing without a loss"),
        ({"name": "exp3", "loss": "squared", "range": [1, 1]}, "must go from a lower number to a higher one"),
        ({"name": "exp3", "loss": "squared", "range": [-1.7e308, 1.7e308]}, "must go from a lower"),
        ({"name": "exp3", "half_life_s": 1}, "Expected `float` >= 4.0 - at `$.half_life_s`"),
        ({"name": "exp3", "parameters": {"gamma": 1}}, "the policy exp3 takes the parameters exploration: "),
        ({"name": "exp3", "parameters": {"exploration": 0}}, "Expected `float` >= 0.0001"),
        ({"name": "default", "parameters": {"x": 1}}, "the policy default takes no parameters"),
        ({"name": "default", "arms": ["a", "b"]}, "Choose a policy for several: split,"),
        ({"name": "shadow"}, "the policy shadow takes the parameters primary: Object missing required field"),
        (
            {"name": "shadow", "arms": ["a", "b"], "parameters": {"primary": "c"}},
            "'c', which is none of its arms: set parameters.primary to one of a, b",
        ),
        ({"name": "mean", "arms": ["a"], "loss": "zero_one"}, "the policy mean averages numbers"),
        ({"name": "split", "arms": [f"m{i}" for i in range(65)]}, "chooses among 64 models at most, not 65"),
    ],
)
def test_refuses_and_says_why(value: Any, text: str) -> None:
    with pytest.raises(PolicyRefusal) as refusal:
        PolicyConfig.parse(value)
    assert text in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"\\ud800"'])
def test_refuses_bad_json(text: str) -> None:
    with pytest.raises(PolicyRefusal):
        PolicyConfig.from_json(text)


def test_refuses_arms_that_are_not_linked() -> None:
    config = PolicyConfig.parse({"name": "split", "arms": {"a:1": 1, "b": 1, "c": 1}})
    with pytest.raises(
        PolicyRefusal, match="of application 'app' names models that are not linked to it: b, c"
    ):
        config.policy("app", ["a", "d"])


def test_refuses_to_choose_from_nothing() -> None:
    with pytest.raises(PolicyRefusal, match="application 'app' is linked to no model"):
        PolicyConfig.parse("exp3").policy("app", [])


def test_counters_of_different_losses_have_different_names() -> None:
    values: list[Any] = [
        "split",
        "mean",
        {"name": "split", "loss": "log"},
        {"name": "split", "loss": "squared", "range": [0, 1]},
        {"name": "split", "loss": "squared", "range": [0, 1.0000001]},
    ]
    assert len({PolicyConfig.parse(value).state_name for value in values}) == len(values)
    assert PolicyConfig.parse("exp3").state_name == PolicyConfig.parse("thompson").state_name


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_is_made_of_one_model_and_knows_nothing_of_counters_of_others(name: str) -> None:
    parameters = {"primary": "m"} if name == "shadow" else {}
    policy = PolicyConfig.parse({"name": name, "parameters": parameters}).policy("app", ["m"])
    selector = policy.selector({"count:other": 5.0, "loss:other": 1e9, "rounds": 3.0, "strange": -1.0})
    assert policy.arms == ("m",)
    assert selector.shares == pytest.approx((1.0,))
    assert selector.select("user", lambda: 0.5).asked == (0,)
    assert policy.learns is (name in ("epsilon_greedy", "exp3", "thompson", "exp4"))
