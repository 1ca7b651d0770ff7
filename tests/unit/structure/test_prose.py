"""Prose and names that all folders keep to."""

from __future__ import annotations

from tests.support.structure.prose import find_lines


def test_the_frontend_asks_no_query_what_it_is() -> None:
    assert list(find_lines(r"isinstance\(query|is_part|type\(query", "frontend")) == []
