"""Imports run one way: no circle, neither between modules nor between rooms, those for types included."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.structure.imports import (
    PACKAGES,
    build_graph,
    find_circle,
    imports_of_modules,
    imports_of_rooms,
)


def test_no_modules_import_each_other() -> None:
    imports = imports_of_modules(build_graph(*PACKAGES))
    assert find_circle(imports) == []
    assert {module.partition(".")[0] for module in imports} == set(PACKAGES)


@pytest.mark.parametrize("package", ["clipper_frontend.query", "clipper_nomad.managers.nomad"])
def test_no_rooms_import_each_other(package: str) -> None:
    rooms = imports_of_rooms(build_graph(*PACKAGES), package)
    assert find_circle(rooms) == []
    assert sum(map(len, rooms.values())) > len(rooms) > 1


def test_a_circle_is_found_and_named() -> None:
    assert find_circle({"a": ["b"], "b": ["c"], "c": []}) == []
    circle = find_circle({"a": ["b"], "b": ["c"], "c": ["a"]})
    assert circle[0] == circle[-1]
    assert set(circle) == {"a", "b", "c"}


def test_imports_for_types_alone_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "circular_example"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("from circular_example import two\n")
    (package / "two.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from circular_example import one\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    circle = find_circle(imports_of_modules(build_graph("circular_example")))
    assert set(circle) == {"circular_example.one", "circular_example.two"}
