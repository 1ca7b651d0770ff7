"""Commits of moves: how much of each renamed file stayed, and whether tests changed more than their imports.

`python -m tests.support.structure.moves COMMIT` prints each renamed file's similarity. It fails if one is too
low, or if a test differs in more than imports and paths.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import REPOSITORY

#: In per cent, as `git show -M --summary` counts.
MIN_SIMILARITY = 85
_PATH = re.compile(r"[\w:-]+([./][\w:-]+)+")


@dataclass(frozen=True)
class Change:
    """A file that a commit has changed, or renamed with a similarity in per cent."""

    old_path: str
    path: str
    similarity: int | None = None

    def __str__(self) -> str:
        return f"{self.similarity}% {self.old_path} -> {self.path}"


def find_changes(commit: str, repository: Path = REPOSITORY) -> list[Change]:
    """Return the files that were renamed or changed, not those that were added or deleted."""
    listed = _git(
        repository, "diff-tree", "-r", "-M", "-z", "--no-commit-id", "--diff-filter=RM", f"{commit}^", commit
    )
    return list(_parse(iter(listed.split("\0")[:-1])))


def _parse(fields: Iterator[str]) -> Iterator[Change]:
    for field in fields:
        status = field.split()[-1]
        if status.startswith("R"):
            yield Change(next(fields), next(fields), int(status[1:]))
        else:
            path = next(fields)
            yield Change(path, path)


def find_problems(commit: str, repository: Path = REPOSITORY) -> Iterator[str]:
    """Give the changes that a commit of moves must not have."""
    for change in find_changes(commit, repository):
        if change.similarity is not None and change.similarity < MIN_SIMILARITY:
            yield f"{change}: less than {MIN_SIMILARITY}%"
        if change.path.startswith("tests/") and change.path.endswith(".py"):
            before = _git(repository, "show", f"{commit}^:{change.old_path}")
            after = _git(repository, "show", f"{commit}:{change.path}")
            if line := find_other_change(before, after):
                yield f"{change.path}:{line} differs in more than imports and paths"


def find_other_change(before: str, after: str) -> int | None:
    """Return the line of the first statement of `after` that differs in more than imports and paths."""
    old, new = ast.parse(before), ast.parse(after)
    renamed = _imported(old) ^ _imported(new)
    old_statements, new_statements = (list(_statements(tree, renamed)) for tree in (old, new))
    for (_, one), (line, other) in zip(old_statements, new_statements, strict=False):
        if one != other:
            return line
    if len(old_statements) == len(new_statements):
        return None
    longer = max(old_statements, new_statements, key=len)
    return longer[min(len(old_statements), len(new_statements))][0]


def _imported(tree: ast.Module) -> set[str]:
    imports = (each for each in ast.walk(tree) if isinstance(each, ast.Import | ast.ImportFrom))
    return {name.asname or name.name.partition(".")[0] for each in imports for name in each.names}


def _statements(tree: ast.Module, renamed: set[str]) -> Iterator[tuple[int, str]]:
    for each in tree.body:
        if left := _Rest(renamed).visit(each):
            yield each.lineno, ast.dump(left)


class _Rest(ast.NodeTransformer):
    """Leaves out imports, paths, and the names of renamed modules."""

    def __init__(self, renamed: set[str]) -> None:
        self._renamed = renamed

    def visit_Import(self, _: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, _: ast.ImportFrom) -> None:
        return None

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name("", node.ctx) if node.id in self._renamed else node

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        is_path = isinstance(node.value, str) and _PATH.fullmatch(node.value)
        return ast.Constant("") if is_path else node


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Check one commit."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("commit")
    commit = parser.parse_args().commit
    for change in find_changes(commit):
        if change.similarity is not None:
            print(change)
    if problems := list(find_problems(commit)):
        sys.exit("\n".join(["", *problems]))


if __name__ == "__main__":
    main()
