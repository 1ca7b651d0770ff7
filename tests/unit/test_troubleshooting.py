"""The troubleshooting page quotes texts as the code has them."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.support.paths import REPOSITORY
from tests.support.written_texts import written_texts

PAGE = REPOSITORY / ".github" / "SUPPORT.md"
_SOURCES = ("clipper_nomad", "frontend/clipper_frontend", "containers/python/clipper_container")
#: A row's first cell.
_ROW = re.compile(r"^\| (.*?) \|", re.MULTILINE)
_QUOTED = re.compile(r"`([^`]+)`")


def _find_quotes() -> list[str]:
    """Return the texts that the first columns quote; names and reasons are no texts."""
    quoted = [text for cell in _ROW.findall(PAGE.read_text()) for text in _QUOTED.findall(cell)]
    return sorted({text for text in quoted if " " in text})


@cache
def _source_texts() -> str:
    """Return all texts of the code, a line each; what a text is filled with is left out."""
    files = [path for folder in _SOURCES for path in sorted((REPOSITORY / folder).rglob("*.py"))]
    texts = [text for path in files for text in written_texts(path)]
    shell = (REPOSITORY / "terraform" / "modules" / "acl_object" / "acl.sh").read_text()
    return "\n".join([*texts, shell])


@pytest.mark.parametrize("quoted", _find_quotes())
def test_a_quoted_text_is_one_of_the_code(quoted: str) -> None:
    parts = [part.strip() for part in quoted.split("…")]
    assert [part for part in parts if part not in _source_texts()] == []


def test_texts_are_quoted() -> None:
    assert len(_find_quotes()) >= 30
