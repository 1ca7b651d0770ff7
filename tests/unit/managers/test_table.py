"""The table of managers: this project's own, and those of another package that is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipper_nomad import DockerContainerManager, LocalContainerManager, NomadContainerManager
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers import table
from clipper_nomad.managers.options import ClusterOptions

_POINTS = """\
[clipper_nomad.managers]
quiet = quiet_manager:QuietManager
local = quiet_manager:QuietManager
missing = quiet_manager:Nothing
broken = no_such_module_here:Manager
number = quiet_manager:NUMBER
partial = quiet_manager:Partial
"""
_MODULE = """\
from clipper_nomad import ContainerManager, LocalContainerManager
class QuietManager(LocalContainerManager):
    pass
class Partial(ContainerManager):
    pass
NUMBER = 5
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "quiet_manager.py").write_text(_MODULE)
    info = tmp_path / "quiet_manager-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quiet-manager\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    table._entry_points.cache_clear()
    yield
    table._entry_points.cache_clear()
    sys.modules.pop("quiet_manager", None)


def test_this_projects_managers_come_first_and_then_those_of_other_packages() -> None:
    assert table.manager_names()[:3] == ["local", "docker", "nomad"]
    assert table.manager_names()[3:] == ["broken", "missing", "number", "partial", "quiet"]


def test_an_installed_manager_is_used_like_this_projects_own(tmp_path: Path) -> None:
    manager = table.find_manager("quiet").from_cli(ClusterOptions("iris", tmp_path))
    assert (type(manager).__name__, manager.cluster_name) == ("QuietManager", "iris")


def test_another_package_cannot_take_the_name_of_a_manager_of_this_project() -> None:
    assert table.find_manager("local") is LocalContainerManager
    assert table.find_manager("docker") is DockerContainerManager
    assert table.find_manager("nomad") is NomadContainerManager


def test_an_unknown_name_is_refused_with_the_choices() -> None:
    with pytest.raises(ContainerManagerError, match=r"no manager 'absent': use one of local, docker.* quiet"):
        table.find_manager("absent")


@pytest.mark.parametrize("name", ["missing", "broken"])
def test_one_that_cannot_be_loaded_says_why(name: str) -> None:
    with pytest.raises(ContainerManagerError, match=rf"(?i)could not load the manager '{name}' \(.*\): .*no"):
        table.find_manager(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("number", "quiet_manager:NUMBER is not a subclass of ContainerManager"),
        ("partial", "quiet_manager:Partial does not implement build, .*stop_models"),
    ],
)
def test_what_is_no_manager_is_refused(name: str, reason: str) -> None:
    with pytest.raises(ContainerManagerError, match=reason):
        table.find_manager(name)
