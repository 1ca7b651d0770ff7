"""The lines and docstrings of the project's Python source that break a rule of prose or names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.support.paths import REPOSITORY
from tests.support.structure.folders import find_files


def find_lines(pattern: str, *folders: str) -> Iterator[str]:
    """Give the lines in which a regular expression is found, each after its file and number."""
    wanted = re.compile(pattern)
    for path in _find_sources(*folders):
        for number, line in enumerate((REPOSITORY / path).read_text().splitlines(), 1):
            if wanted.search(line):
                yield f"{path}:{number}: {line.strip()}"


def find_module_docstrings(pattern: str, *folders: str) -> Iterator[str]:
    """Give the modules whose docstring begins with a regular expression, each before its first line."""
    wanted = re.compile(rf'(#.*\n)*"""(?P<line>({pattern}).*)')
    for path in _find_sources(*folders):
        if found := wanted.match((REPOSITORY / path).read_text()):
            yield f"{path}: {found['line']}"


def _find_sources(*folders: str) -> list[str]:
    return [path for path in find_files(*folders) if path.endswith(".py")]
