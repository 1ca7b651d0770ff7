"""Policies in worlds whose best model is known: their regret, and how soon they find it or see it fail."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from tests.unit.selection.learning import Learner

#: For each round, whether each arm is right.
Answers: TypeAlias = list[list[bool]]
World: TypeAlias = Callable[[np.random.Generator, int], Answers]

_ARMS = ["a", "b", "c", "d", "e"]
_QUALITY = [0.55, 0.65, 0.9, 0.5, 0.7]
_BEST = 2


def _right(rng: np.random.Generator, quality: list[float], rounds: int) -> Answers:
    answers: Answers = (rng.random((rounds, len(quality))) < quality).tolist()
    return answers


def _steady(rng: np.random.Generator, rounds: int) -> Answers:
    return _right(rng, _QUALITY, rounds)


def _switching(rng: np.random.Generator, rounds: int) -> Answers:
    half = rounds // 2
    return _right(rng, _QUALITY, half) + _right(rng, _QUALITY[::-1], rounds - half)


def _luring(rng: np.random.Generator, rounds: int) -> Answers:
    """The arm that is best in the end is the worst for the first third."""
    third = rounds // 3
    return _right(rng, [0.9, 0.2, 0.2, 0.2, 0.0], third) + _right(
        rng, [0.0, 0.2, 0.2, 0.2, 0.9], rounds - third
    )


@pytest.mark.parametrize("world", [_steady, _switching, _luring])
def test_exp3_keeps_the_bound_of_auer_and_others(world: World) -> None:
    rounds, runs = 2000, 3
    # Corollary 3.2 of Auer et al.: this γ gives the bound below.
    exploration = min(1.0, math.sqrt(len(_ARMS) * math.log(len(_ARMS)) / ((math.e - 1) * rounds)))
    regrets = []
    for seed in range(runs):
        answers = world(np.random.default_rng(seed), rounds)
        learner = Learner({"name": "exp3", "parameters": {"exploration": exploration}}, _ARMS, seed=seed)
        reward = 0
        for right in answers:
            reward += learner.draw(right)
            learner.refresh()
        regrets.append(max(map(sum, zip(*answers, strict=True))) - reward)
    # The bound is on the expectation.
    assert np.mean(regrets) <= 2.63 * math.sqrt(rounds * len(_ARMS) * math.log(len(_ARMS)))


def _forecaster_bound(rounds: int) -> float:
    return 2 * math.sqrt(rounds / 2 * math.log(len(_ARMS))) + math.sqrt(math.log(len(_ARMS)) / 8)


@pytest.mark.parametrize("loss", ["squared", "absolute"])
@pytest.mark.parametrize("seed", range(3))
def test_exp4_of_numbers_keeps_the_bound_of_cesa_bianchi_and_lugosi(loss: str, seed: int) -> None:
    rounds, rng = 600, np.random.default_rng(seed)
    power = 2 if loss == "squared" else 1
    labels = rng.random(rounds)
    # A bias of its own for each model; the best one starts with the worst losses.
    said = np.clip(labels[:, None] + [-0.5, 0.4, 0.1, 0.6, -0.3] + rng.normal(0, 0.05, (rounds, 5)), 0, 1)
    said[:20, _BEST] = 1 - np.round(labels[:20])
    learner = Learner({"name": "exp4", "loss": loss, "range": [0, 1]}, _ARMS)
    suffered = 0.0
    for outputs, label in zip(said.tolist(), labels.tolist(), strict=True):
        combined = learner.answer([json.dumps(value).encode() for value in outputs], label)
        assert combined.output is not None
        suffered += abs(float(combined.output) - label) ** power
        learner.refresh()
    losses = (np.abs(said - labels[:, None]) ** power).sum(axis=0)
    assert losses.argmin() == _BEST == int(np.argmax(learner.shares))
    assert suffered - losses.min() <= _forecaster_bound(rounds)


@pytest.mark.parametrize("world", [_steady, _switching, _luring])
def test_exp4_of_labels_errs_at_most_twice_what_the_mean_of_losses_may(world: World) -> None:
    rounds = 600
    answers = world(np.random.default_rng(1), rounds)
    learner = Learner({"name": "exp4"}, _ARMS)
    errors = 0
    for right in answers:
        combined = learner.answer([b'"yes"' if is_right else b'"no"' for is_right in right], "yes")
        errors += combined.output != b'"yes"'
        learner.refresh()
    best = rounds - max(map(sum, zip(*answers, strict=True)))
    assert errors <= 2 * (best + _forecaster_bound(rounds))
    if world is _steady:
        assert errors - best <= _forecaster_bound(rounds)


@pytest.mark.parametrize("name", ["thompson", "epsilon_greedy"])
def test_the_best_of_five_is_found(name: str) -> None:
    rounds, batch, found = 600, 50, 0
    for seed in range(100):
        answers = _steady(np.random.default_rng(seed), rounds)
        learner = Learner({"name": name}, _ARMS, seed=seed)
        for start in range(0, rounds, batch):
            for right in answers[start : start + batch]:
                learner.draw(right)
            learner.refresh()
        found += learner.shares[_BEST] == max(learner.shares)
    assert found >= 95


@pytest.mark.parametrize("name", ["thompson", "epsilon_greedy", "exp3"])
@pytest.mark.parametrize("silent", [False, True], ids=["wrong", "silent"])
def test_bandits_recover_when_the_best_model_breaks(name: str, silent: bool) -> None:
    # Four feedbacks a second and a half-life of a minute: five minutes before, five after.
    rng, second_best = np.random.default_rng(3), 4
    quality = [0.3, 0.2, 0.95, 0.1, 0.8]
    learner = Learner({"name": name, "half_life_s": 60}, _ARMS, seed=3, per_s=4)
    for is_broken in (False, True):
        for right in _right(rng, quality, 1200):
            selection = learner.select()
            arm = selection.asked[0]
            output: bytes | None = b"1" if right[arm] else b"0"
            if is_broken and arm == _BEST:
                output = None if silent else b"0"
            learner.learn(selection, {arm: output}, 1)
            if learner.rounds % 20 == 0:
                learner.refresh()
        best = second_best if is_broken else _BEST
        assert learner.shares[best] == max(learner.shares) > 0.5


def test_exp4_recovers_when_the_best_model_breaks() -> None:
    rng = np.random.default_rng(3)
    learner = Learner({"name": "exp4", "half_life_s": 60}, _ARMS, per_s=4)
    for quality, best in (([0.3, 0.2, 0.95, 0.1, 0.8], 2), ([0.3, 0.2, 0.0, 0.1, 0.8], 4)):
        for right in _right(rng, quality, 1200):
            learner.answer([b"1" if is_right else b"0" for is_right in right], 1)
            if learner.rounds % 20 == 0:
                learner.refresh()
        assert learner.shares[best] == max(learner.shares) > 0.5
