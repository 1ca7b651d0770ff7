"""The check of the demo's answers."""

from __future__ import annotations

import math

from clipper_nomad.demo.checks import agrees, count_defaults, count_disagreeing, percentile_ms
from clipper_nomad.demo.traffic import Answer

EXPECTED = [100.0, -200.0]


def test_an_answer_agrees_within_a_billionth_of_its_size() -> None:
    assert agrees(Answer(0, 100.0 + 0.9e-7, False, 1), EXPECTED)
    assert agrees(Answer(1, -200.0 - 1.9e-7, False, 1), EXPECTED)
    assert not agrees(Answer(0, 100.0 + 1.1e-7, False, 1), EXPECTED)


def test_a_default_never_agrees_and_neither_does_what_is_no_number() -> None:
    assert not agrees(Answer(0, 100.0, True, 1), EXPECTED)
    assert not agrees(Answer(0, math.nan, False, 1), EXPECTED)


def test_answers_are_counted_against_every_version_that_may_answer() -> None:
    answers = [Answer(0, 100.0, False, 1), Answer(0, 7.0, False, 1), Answer(0, math.nan, True, 1)]
    assert count_disagreeing(answers, EXPECTED) == 2
    assert count_disagreeing(answers, EXPECTED, [7.0]) == 1
    assert count_defaults(answers) == 1


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    answers = [Answer(0, 0.0, False, latency) for latency in range(1, 101)]
    assert (percentile_ms(answers, 50), percentile_ms(answers, 99), percentile_ms(answers[:1], 99)) == (
        50,
        99,
        1,
    )
