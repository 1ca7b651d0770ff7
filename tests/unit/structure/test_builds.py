"""Wheels and source distributions of both distributions build, and hold what they must."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from configparser import ConfigParser
from pathlib import Path

import pytest

from clipper_container import __version__
from tests.support.paths import REPOSITORY
from tests.support.structure.folders import find_files

RUNTIME = "containers/python"
#: What a wheel of the admin library has from elsewhere: by folder of the checkout, where it is.
MOVED = {
    "clipper_nomad": "clipper_nomad",
    "frontend/clipper_frontend": "clipper_frontend",
    "jobspecs": "clipper_nomad/_jobspecs",
    "containers/installer": "clipper_nomad/_containers/installer",
    "containers/management-frontend": "clipper_nomad/_containers/management-frontend",
    "containers/model": "clipper_nomad/_containers/model",
    "containers/python-runtime": "clipper_nomad/_containers/python-runtime",
    "containers/query-frontend": "clipper_nomad/_containers/query-frontend",
    "containers/r/clipperr": "clipper_nomad/_containers/r/clipperr",
    "containers/redis": "clipper_nomad/_containers/redis",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The built distributions, by the beginning and the end of their names."""
    folder = tmp_path_factory.mktemp("distributions")
    for source in (REPOSITORY, REPOSITORY / RUNTIME):
        # With the backend of the dev group: an isolated build would download it.
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
        subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    return {
        path.name.replace(f"-{__version__}", "").replace("-py3-none-any", ""): path
        for path in folder.iterdir()
    }


def files_of(archive: Path) -> set[str]:
    """Return the files of a wheel, or those of a source distribution without the folder that all are in."""
    if archive.suffix == ".whl":
        return set(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as opened:
        return {name.partition("/")[2] for name in opened.getnames()}


def moved(folders: Iterable[str]) -> set[str]:
    """Return where the files of folders of the checkout are in the admin library's wheel."""
    found = find_files()
    return {
        MOVED[folder] + path.removeprefix(folder)
        for folder in folders
        for path in found
        if path.startswith(f"{folder}/")
    }


def test_both_distributions_are_built_both_ways(built: dict[str, Path]) -> None:
    assert set(built) == {
        "clipper_nomad.whl",
        "clipper_nomad.tar.gz",
        "clipper_container.whl",
        "clipper_container.tar.gz",
    }


def test_the_admin_library_s_wheel_has_all_source_and_what_images_and_jobs_are_made_of(
    built: dict[str, Path],
) -> None:
    files = files_of(built["clipper_nomad.whl"])
    own = {name for name in files if ".dist-info/" not in name}
    assert own == moved(MOVED) | {"clipper_nomad/_containers/health.py"}
    assert {"clipper_nomad/py.typed", "clipper_frontend/py.typed"} <= own


def test_the_runtime_s_wheel_has_its_source_and_nothing_else_of_ours(built: dict[str, Path]) -> None:
    own = {name for name in files_of(built["clipper_container.whl"]) if ".dist-info/" not in name}
    prefix = f"{RUNTIME}/"
    assert own == {
        path.removeprefix(prefix) for path in find_files() if path.startswith(f"{prefix}clipper_container/")
    }
    assert "clipper_container/py.typed" in own


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("clipper_nomad", {"clipper-nomad", "clipper-query-frontend", "clipper-management-frontend"}),
        ("clipper_container", {"clipper-container"}),
    ],
)
def test_wheels_bring_commands_and_licence(built: dict[str, Path], name: str, commands: set[str]) -> None:
    information = f"{name}-{__version__}.dist-info"
    with zipfile.ZipFile(built[f"{name}.whl"]) as wheel:
        points = ConfigParser()
        points.optionxform = str  # type: ignore[assignment,method-assign]
        points.read_string(wheel.read(f"{information}/entry_points.txt").decode())
        licences = [each for each in wheel.namelist() if each.startswith(f"{information}/licenses/")]
    assert set(points["console_scripts"]) == commands
    assert licences


def test_source_distributions_can_be_built_again(built: dict[str, Path]) -> None:
    assert {"pyproject.toml", "README.md", *find_files("clipper_nomad", "frontend", "jobspecs")} <= files_of(
        built["clipper_nomad.tar.gz"]
    )
    runtime = files_of(built["clipper_container.tar.gz"])
    assert {"pyproject.toml", "README.md", "LICENSE", "clipper_container/py.typed"} <= runtime
