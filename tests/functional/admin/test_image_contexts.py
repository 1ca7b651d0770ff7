"""Build contexts of images: equal content makes equal contexts, and a wheel has all of it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from clipper_nomad import __version__
from clipper_nomad.deployers.packing.imports import find_imports
from clipper_nomad.errors import BuildError
from clipper_nomad.images import COMPONENTS, ImageSettings
from clipper_nomad.images.components import component_files
from clipper_nomad.images.context import new_context
from clipper_nomad.images.wheels import frontend_wheel, runtime_wheel
from tests.support.paths import REPOSITORY

LOCKED = ("query-frontend", "management-frontend", "python-runtime")
# What each image runs; the frontends share the registry and, of the runtime, the wire format.
SOURCES = {
    "query-frontend": ("query", "registry", "selection", "*.py"),
    "management-frontend": ("management", "registry", "selection", "*.py"),
}


def test_the_same_folder_makes_the_same_context(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, mode in ((first, 0o600), (second, 0o644)):
        (folder / "inner").mkdir(parents=True, mode=0o700)
        for name in ("b", "a", "inner/c"):
            (folder / name).write_text(name)
            (folder / name).chmod(mode)
    (second / "a").touch()
    os.utime(second / "b", (1, 1))
    assert pack(first) == pack(second)


def pack(folder: Path) -> bytes:
    with new_context() as context:
        context.add_folder("model", folder)
        return context.finish().read()


def test_files_are_for_any_user_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir(mode=0o700)
    (tmp_path / "model" / "private").touch(mode=0o600)
    (tmp_path / "model" / "script").touch(mode=0o700)
    (tmp_path / "model" / "link").symlink_to(tmp_path / "model" / "private")
    with new_context() as context:
        context.add_folder("model", tmp_path / "model")
        with tarfile.open(fileobj=context.finish()) as archive:
            members = archive.getmembers()
    assert {(member.name, member.mode, member.isreg()) for member in members} == {
        ("model", 0o755, False),
        ("model/private", 0o644, True),
        ("model/script", 0o755, True),
        ("model/link", 0o644, True),
    }


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken").symlink_to(tmp_path / "absent")
    with new_context() as context, pytest.raises(BuildError, match=f"{tmp_path}.*absent|{tmp_path}.*broken"):
        context.add_folder("model", tmp_path)


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"absent\.pem"):
        component_files("redis", ImageSettings()) | component_files(
            "python-runtime", ImageSettings(ca_certificates=(tmp_path / "absent.pem",))
        )


@pytest.mark.parametrize("component", LOCKED)
def test_lock_files_pin_all_and_agree_with_what_is_asked_for(component: str) -> None:
    lines = (REPOSITORY / "containers" / component / "requirements.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"==[^*,]+", str(pin.specifier)) for pin in pins)
    wanted: dict[str, SpecifierSet] = {}
    for distribution in ("clipper-nomad", "clipper-container"):
        for text in importlib.metadata.requires(distribution) or ():
            requirement = Requirement(text)
            wanted.setdefault(canonicalize_name(requirement.name), requirement.specifier)
    for pin in pins:
        version = str(pin.specifier).removeprefix("==")
        assert wanted.get(canonicalize_name(pin.name), pin.specifier).contains(version), pin


@pytest.mark.parametrize("component", SOURCES)
def test_lock_files_hold_all_that_is_imported(component: str) -> None:
    package = REPOSITORY / "frontend" / "clipper_frontend"
    files = [file for pattern in SOURCES[component] for file in matching(package, pattern)]
    imported = {
        name.partition(".")[0]
        for file in files
        for name in find_imports(file.read_bytes(), "x", is_package=False)
    }
    by_module = importlib.metadata.packages_distributions()
    needed = {canonicalize_name(name) for module in imported for name in by_module.get(module, ())}
    locked = (REPOSITORY / "containers" / component / "requirements.txt").read_text()
    pinned = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", locked, re.MULTILINE)}
    assert needed - {"clipper-nomad", "clipper-container"} <= pinned


def matching(package: Path, pattern: str) -> list[Path]:
    return list(package.glob(pattern) if "*" in pattern else (package / pattern).rglob("*.py"))


def test_wheels_are_the_same_each_time_and_complete() -> None:
    assert runtime_wheel() == runtime_wheel()
    wheel = frontend_wheel()
    assert wheel == frontend_wheel()
    assert wheel.name == f"clipper_nomad-{__version__}-py3-none-any.whl"


def test_pip_installs_the_wheels(tmp_path: Path) -> None:
    paths = []
    for wheel in (frontend_wheel(), runtime_wheel()):
        paths.append(tmp_path / wheel.name)
        paths[-1].write_bytes(wheel.content)
    site = tmp_path / "site"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--target",
        site,
        *paths,
    ]
    subprocess.run(command, check=True, timeout=60)
    for script in ("clipper-query-frontend", "clipper-management-frontend"):
        run_installed(site, site / "bin" / script, "--help")
    run_installed(site, "-m", "clipper_container.main", "--help")
    assert "Requires-Dist: numpy" in next(site.glob("clipper_container-*/METADATA")).read_text()


def run_installed(site: Path, *arguments: str | Path) -> str:
    """Run Python with what is installed in `site` before all else, and none of the checkout as its folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=site,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    ).stdout


DIGESTS = """
import hashlib, json
import clipper_nomad
from clipper_nomad.images import COMPONENTS, ImageSettings
from clipper_nomad.images.components import component_files
from clipper_nomad.images.recipes import read_recipe
assert "{site}" in clipper_nomad.__file__
for name in COMPONENTS:
    for path, content in sorted(component_files(name, ImageSettings()).items()):
        if not path.endswith(".whl"):
            print(name, path, hashlib.sha256(content).hexdigest())
for name in ("model/python.Dockerfile", "model/folder.Dockerfile"):
    print(name, hashlib.sha256(read_recipe(name)).hexdigest())
"""


def test_an_installed_wheel_builds_the_same_images_without_a_checkout(tmp_path: Path) -> None:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "-w",
        tmp_path,
        REPOSITORY,
    ]
    subprocess.run([*command, REPOSITORY / "containers" / "python"], check=True, timeout=110)
    site = tmp_path / "site"
    for wheel in tmp_path.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(site)
    installed = run_installed(site, "-c", DIGESTS.replace("{site}", str(site))).splitlines()
    expected = [
        f"{name} {path} {hashlib.sha256(content).hexdigest()}"
        for name in COMPONENTS
        for path, content in sorted(component_files(name, ImageSettings()).items())
        if not path.endswith(".whl")
    ]
    assert installed[:-2] == expected
