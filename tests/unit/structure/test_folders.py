"""No folder has more entries than one takes in at a glance."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.support.structure.folders import find_entries

_ROOMS = tuple(
    PurePosixPath(name) for name in ("frontend/clipper_frontend/query", "clipper_nomad/managers/nomad")
)
MAX_IN_ROOMS, MAX_OF_SOURCE, MAX_OF_TESTS = 15, 18, 30
_PYTHON_SOURCE = ("clipper_nomad", "containers", "frontend")


def limit_of(folder: PurePosixPath, entries: set[str]) -> int | None:
    """Return how many entries a folder may have, None if nothing is asked of it."""
    if any(folder.is_relative_to(room) for room in _ROOMS):
        return MAX_IN_ROOMS
    if folder.parts[:1] == ("tests",) or any(name.endswith(".lua") for name in entries):
        return MAX_OF_TESTS
    is_source = folder.parts[:1] and folder.parts[0] in _PYTHON_SOURCE
    return MAX_OF_SOURCE if is_source and any(name.endswith(".py") for name in entries) else None


def test_no_folder_is_too_full() -> None:
    limits = {folder: (len(each), limit_of(folder, each)) for folder, each in find_entries().items()}
    checked = {folder: (count, limit) for folder, (count, limit) in limits.items() if limit is not None}
    assert {folder: counts for folder, counts in checked.items() if counts[0] > counts[1]} == {}
    assert all(room in checked for room in _ROOMS)


@pytest.mark.parametrize(
    ("folder", "entries", "limit"),
    [
        ("frontend/clipper_frontend/query/http", {"heads.py"}, MAX_IN_ROOMS),
        ("clipper_nomad/managers/nomad", {"api"}, MAX_IN_ROOMS),
        ("clipper_nomad/cli", {"main.py"}, MAX_OF_SOURCE),
        ("frontend/clipper_frontend/registry/scripts", {"add_model.lua"}, MAX_OF_TESTS),
        ("tests/unit/query", {"test_a.py"}, MAX_OF_TESTS),
        ("terraform/modules/nodes", {"main.tf"}, None),
        (".", {"README.md"}, None),
    ],
)
def test_rooms_have_less_than_other_folders(folder: str, entries: set[str], limit: int | None) -> None:
    assert limit_of(PurePosixPath(folder), entries) == limit
