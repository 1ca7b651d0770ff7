"""The Markdown files: links that lead somewhere, and a first page that stays short."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.paths import REPOSITORY

MAX_README_LINES = 150
_FENCE = re.compile(r"^ *```.*?^ *```[^\n]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
#: Folders whose name begins with a dot are tools', but for these.
_DOT_FOLDERS = (".ci", ".github")


def _find_documents() -> Iterator[Path]:
    for folder, names, files in os.walk(REPOSITORY):
        names[:] = [name for name in names if not name.startswith(".") or name in _DOT_FOLDERS]
        yield from (Path(folder, name) for name in files if name.endswith(".md"))


DOCUMENTS = sorted(_find_documents())


@cache
def _prose(document: Path) -> str:
    """Return a document without its blocks of code."""
    return _FENCE.sub("", document.read_text())


def _find_links(document: Path) -> list[str]:
    return _LINK.findall(_CODE.sub("", _prose(document)))


@cache
def _find_anchors(document: Path) -> frozenset[str]:
    """Return the anchors that a forge makes of a document's headings."""
    seen = Counter[str]()
    anchors = []
    for heading in _HEADING.findall(_prose(document)):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors.append(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(anchors)


def _is_broken(document: Path, link: str) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = (document.parent / path).resolve() if path else document
    if not target.is_relative_to(REPOSITORY) or not target.exists():
        return True
    return bool(anchor) and anchor not in _find_anchors(target)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_relative_link_leads_to_a_file_and_heading(document: Path) -> None:
    relative = [link for link in _find_links(document) if not re.match(r"\w+:", link)]
    assert [link for link in relative if _is_broken(document, link)] == []


def test_the_first_page_stays_short() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= MAX_README_LINES


def test_all_rooms_are_found_from_the_first_page() -> None:
    """Whoever starts at README.md gets to every document by following links."""
    reached, pending = set[Path](), [REPOSITORY / "README.md"]
    while pending:
        document = pending.pop()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        links = (link.partition("#")[0] for link in _find_links(document) if not re.match(r"\w+:", link))
        pending += [(document.parent / link).resolve() for link in links if link]
    assert set(DOCUMENTS) - reached == set()


def test_the_table_of_metrics_is_current() -> None:
    """In a process of its own, since a process has the metrics of one model at most."""
    command = [sys.executable, "-m", "tests.support.metrics_table", "--check"]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (checked.stderr, checked.returncode) == ("", 0)
