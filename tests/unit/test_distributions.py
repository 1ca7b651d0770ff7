"""The two distributions: one version, one licence, and a log of changes that begins with that version."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from clipper_container import __version__
from tests.support.paths import REPOSITORY

_ROOT = REPOSITORY
_RUNTIME = REPOSITORY / "containers" / "python"


def _read_project(name: str) -> dict[str, Any]:
    folder = {"clipper-nomad": _ROOT, "clipper-container": _RUNTIME}[name]
    content = tomllib.loads((folder / "pyproject.toml").read_text())
    assert content["project"]["name"] == name
    source = folder / content["tool"]["hatch"]["version"]["path"]
    return {**content["project"], "folder": folder, "version source": source}


def test_the_admin_library_requires_the_runtime_of_its_own_version() -> None:
    requirements = _read_project("clipper-nomad")["dependencies"]
    assert [each for each in requirements if each.startswith("clipper-container")] == [
        f"clipper-container=={__version__}"
    ]


@pytest.mark.parametrize("name", ["clipper-nomad", "clipper-container"])
def test_the_version_has_one_source(name: str) -> None:
    project = _read_project(name)
    assert project["dynamic"] == ["version"]
    assert project["version source"] == _RUNTIME / "clipper_container" / "__init__.py"


@pytest.mark.parametrize("name", ["clipper-nomad", "clipper-container"])
def test_both_carry_the_licence(name: str) -> None:
    project = _read_project(name)
    assert project["license"] == "Apache-2.0"
    (path,) = project["license-files"]
    text = (project["folder"] / path).read_text()
    assert text.lstrip().startswith("Apache License")
    assert text == (_ROOT / "clipper_nomad" / "LICENSE").read_text()


def test_changes_are_logged_up_to_this_version() -> None:
    log = (_ROOT / "clipper_nomad" / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[?(\d[^\]\s]*)", log, re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__
