"""Variables of replicas on the command line."""

from __future__ import annotations

import pytest
import typer

from clipper_nomad.cli.models import parse_sample
from clipper_nomad.cli.variables import parse_variables
from clipper_nomad.errors import ClipperException


def test_a_value_may_hold_anything_and_be_empty() -> None:
    assert parse_variables(None) == {}
    assert parse_variables(["A=1", "B=", 'C=x=y "z"']) == {"A": "1", "B": "", "C": 'x=y "z"'}


def test_a_variable_without_a_value_or_a_proper_name_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="use NAME=VALUE"):
        parse_variables(["A"])
    with pytest.raises(ClipperException, match="cannot name an environment variable"):
        parse_variables(["A-B=c"])
    with pytest.raises(ClipperException, match="CLIPPER_"):
        parse_variables(["CLIPPER_IP=c"])


@pytest.mark.parametrize(
    ("text", "input_type", "sample"),
    [
        ("[1, 2]", "d", [1, 2]),
        ("some words", "strings", "some words"),
        ("[1]", "s", "[1]"),
        ('"quoted"', "strings", "quoted"),
        ("1234", "bytes", "1234"),
    ],
)
def test_a_sample_is_json_or_plain_text(text: str, input_type: str, sample: object) -> None:
    assert parse_sample(text, input_type) == sample
