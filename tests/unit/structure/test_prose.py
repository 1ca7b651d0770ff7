"""Prose and names that all folders keep to."""

from __future__ import annotations

from tests.support.structure.prose import find_lines, find_module_docstrings


def test_the_frontend_asks_no_query_what_it_is() -> None:
    assert list(find_lines(r"isinstance\(query|is_part|type\(query", "frontend")) == []


def test_docstrings_of_predicates_begin_with_return() -> None:
    assert list(find_lines(r'"""(Tell|Say) ', ".")) == []


def test_bounds_are_named_min_and_max() -> None:

    assert list(find_lines(r"_(MOST|LEAST|LARGEST|LONGEST)_", ".")) == []


def test_module_docstrings_begin_with_their_noun() -> None:
    assert list(find_module_docstrings(r"(What|Which|Where|Whether|How)\b", ".")) == []
