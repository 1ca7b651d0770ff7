"""Policies on the command line."""

from __future__ import annotations

import pytest
import typer

from clipper_nomad.cli.policies import parse_policy


def test_a_name_an_object_and_arms() -> None:
    assert parse_policy("exp3", []) == "exp3"
    assert parse_policy(' {"name": "exp3"}', []) == {"name": "exp3"}
    assert parse_policy("split", ["m:1=9", "m:2", "n=.5"]) == {
        "name": "split",
        "arms": {"m:1": 9.0, "m:2": 1.0, "n": 0.5},
    }
    assert parse_policy('{"name": "split", "half_life_s": 60}', ["m=2"]) == {
        "name": "split",
        "half_life_s": 60,
        "arms": {"m": 2.0},
    }


@pytest.mark.parametrize(
    ("text", "arms", "reason"),
    [
        ("{name: exp3}", [], "is not a JSON object"),
        ("split", ["m=much"], "'much' in 'm=much' is not a number"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(text: str, arms: list[str], reason: str) -> None:
    with pytest.raises(typer.BadParameter, match=reason):
        parse_policy(text, arms)
