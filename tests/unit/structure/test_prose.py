"""Prose and names that all folders keep to."""

from __future__ import annotations

from tests.support.structure.prose import find_lines, find_module_docstrings


def test_the_frontend_asks_no_query_what_it_is() -> None:
    assert list(find_lines(r"isinstance\(query|is_part|type\(query", "frontend")) == []


def test_docstrings_of_predicates_begin_with_return() -> None:
    assert list(find_lines(r'"""(Tell|Say) ', ".")) == []


def test_bounds_are_named_min_and_max() -> None:

    assert list(find_lines(r"_(MOST|LEAST|LARGEST|LONGEST)_", ".")) == []


def test_docstrings_below_modules_begin_with_their_noun_too() -> None:
    pattern = r'^\s*"""(What|Which|Where|Whether|How|Who|Owns|Knows)\b'
    assert list(find_lines(pattern, ".")) == []


def test_docstrings_do_not_list_what_a_module_owns_or_does_not_know() -> None:
    folders = ("clipper_nomad/cli", "clipper_nomad/demo", "clipper_nomad/testing", "tests")
    assert list(find_lines(r"^\s*(Owns|Knows (no|nothing|neither)) ", *folders)) == []


def test_module_docstrings_begin_with_their_noun() -> None:
    assert list(find_module_docstrings(r"(What|Which|Where|Whether|How)\b", ".")) == []
