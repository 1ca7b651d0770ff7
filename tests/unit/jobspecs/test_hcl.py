"""Values as HCL, and how HCL is laid out."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_nomad.jobspecs.hcl import Interpolated, hcl, quote
from clipper_nomad.jobspecs.layout import lay_out

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\$%{}\n'))


@given(TEXTS)
def test_quoted_text_is_one_string_on_one_line_and_no_template(text: str) -> None:
    quoted = quote(text)
    assert len(quoted.splitlines()) == 1
    assert re.fullmatch(r'"([^"\\]|\\.)*"', quoted)
    # Each `${` and `%{` is behind an odd number of its own mark more.
    without_escapes = re.sub(r"([$%])\1(?=\{)", "", quoted)
    assert not re.search(r"[$%]\{", without_escapes)


@given(TEXTS)
def test_quoted_text_says_what_it_was(text: str) -> None:
    assert json.loads(re.sub(r"([$%])\1(?=\{)", r"\1", quote(text))) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-7, "-7"),
        (0.5, "0.5"),
        ("", '""'),
        ([], "[]"),
        ({}, "{}"),
        (["a", 1, [True]], '["a", 1, [true]]'),
        ({"a": 1, "b c": {"d": []}}, '{\na = 1\n"b c" = {\nd = []\n}\n}'),
        ([{"a": 1}], "[\n{\na = 1\n},\n]"),
        (["x" * 60, "y" * 60], f'[\n"{"x" * 60}",\n"{"y" * 60}",\n]'),
    ],
    ids=str,
)
def test_values_of_each_kind(value: object, written: str) -> None:
    assert hcl(value) == written  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not a number"):
        hcl(number)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("${NOMAD_PORT_rpc}", '"${NOMAD_PORT_rpc}"'),
        ('a"${node.unique.name}\n', '"a\\"${node.unique.name}\\n"'),
        ("${attr.a}${file(1)}", '"${attr.a}$${file(1)}"'),
        ("%{if}", '"%%{if}"'),
    ],
)
def test_in_interpolated_text_only_names_are_nomads(text: str, written: str) -> None:
    assert quote(Interpolated(text)) == written


def test_layout_indents_aligns_and_spaces() -> None:
    text = """

      job "x" {

      # Says { why.
      a = 1
      long_name = "= {"


      "quoted key" = [1, 2]
      b {
      c = [
      "d",
      ]
      e = {
      f = 1
      }

      }
      port "p" {}

      }
    """
    assert lay_out(text) == (
        'job "x" {\n'
        "  # Says { why.\n"
        "  a         = 1\n"
        '  long_name = "= {"\n'
        "\n"
        '  "quoted key" = [1, 2]\n'
        "  b {\n"
        "    c = [\n"
        '      "d",\n'
        "    ]\n"
        "    e = {\n"
        "      f = 1\n"
        "    }\n"
        "  }\n"
        '  port "p" {}\n'
        "}\n"
    )
