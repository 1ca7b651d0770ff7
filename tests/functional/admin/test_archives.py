"""A model as an archive: what is in it, its name, and packages that are installed once."""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from clipper_nomad.errors import BuildError
from clipper_nomad.managers.nomad.drivers.archives import ArtifactStore, build_archive
from clipper_nomad.managers.nomad.drivers.pip_cache import PackageCache
from clipper_nomad.types import BuildSpec, ModelVersion

MODEL = ModelVersion("m", "1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "inner").mkdir(parents=True)
    (made / "inner" / "weights").write_text("1 2 3")
    (made / "empty").mkdir()
    return made


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore.parse(tmp_path / "artifacts", "http://files.example:8080/models/")


@pytest.fixture
def cache(tmp_path: Path) -> PackageCache:
    return PackageCache(tmp_path / "cache")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let pip find packages in a folder alone, which holds `clipper-tiny` 1.0."""
    made = tmp_path / "index"
    made.mkdir()
    add_wheel(made, "clipper-tiny", {"clipper_tiny.py": "ANSWER = '42'\n"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made))
    return made


def add_wheel(index: Path, name: str, files: dict[str, str], *needs: str) -> None:
    stem = f"{name.replace('-', '_')}-1.0"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        "Version: 1.0",
        *(f"Requires-Dist: {n}" for n in needs),
    ]
    with zipfile.ZipFile(index / f"{stem}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines))
        wheel.writestr(
            f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def find(store: ArtifactStore, package: str) -> Path:
    """Return the file that `package` names, once its checksum is found right."""
    url, _, checksum = package.partition("#sha256:")
    path = store.directory / url.removeprefix("http://files.example:8080/models/")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == checksum
    return path


@pytest.mark.usefixtures("index")
def test_an_archive_holds_the_model_and_its_packages(
    store: ArtifactStore, cache: PackageCache, folder: Path, tmp_path: Path
) -> None:
    package = build_archive(BuildSpec(MODEL, folder, pkgs_to_install=("clipper-tiny",)), store, cache)
    path = find(store, package)
    assert path.stat().st_mode & 0o777 == 0o644
    with tarfile.open(path) as archive:
        assert {(each.mtime, each.uid, each.gid, each.uname) for each in archive} == {(0, 0, 0, "")}
        archive.extractall(tmp_path / "node", filter="data")
    node = tmp_path / "node"
    assert sorted(each.name for each in node.iterdir()) == ["model", "packages"]
    assert (node / "model" / "inner" / "weights").read_text() == "1 2 3"
    assert (node / "model" / "empty").is_dir()
    command = [sys.executable, "-c", "import clipper_tiny; print(clipper_tiny.ANSWER)"]
    environment = {**os.environ, "PYTHONPATH": str(node / "packages")}
    assert subprocess.run(command, env=environment, check=True, capture_output=True).stdout == b"42\n"


def test_a_model_without_packages_has_an_empty_folder_for_them(
    store: ArtifactStore, cache: PackageCache, folder: Path
) -> None:
    path = find(store, build_archive(BuildSpec(MODEL, folder), store, cache))
    with tarfile.open(path) as archive:
        assert archive.getmember("packages").isdir()
    # Unlike Python, others take a tar without its end for a damaged one.
    assert gzip.decompress(path.read_bytes()).endswith(bytes(1024))


def test_the_same_content_is_the_same_archive(
    store: ArtifactStore, cache: PackageCache, folder: Path, index: Path
) -> None:
    spec = BuildSpec(MODEL, folder, pkgs_to_install=("clipper-tiny",))
    package = build_archive(spec, store, cache)
    path = find(store, package)
    written_at = path.stat().st_mtime_ns
    # Neither times on the disk nor a second installation make a difference; and none is made at first.
    os.utime(folder / "inner" / "weights", (1, 1))
    shutil.move(index / "clipper_tiny-1.0-py3-none-any.whl", index / "away")
    assert build_archive(spec, store, cache) == package
    shutil.move(index / "away", index / "clipper_tiny-1.0-py3-none-any.whl")
    shutil.rmtree(cache.directory)
    assert build_archive(spec, store, cache) == package
    assert path.stat().st_mtime_ns == written_at
    assert [each.name for each in store.directory.iterdir()] == [path.name]
    (folder / "inner" / "weights").write_text("1 2 4")
    assert build_archive(spec, store, cache) != package


def test_what_a_path_leads_to_is_installed_anew(
    store: ArtifactStore, cache: PackageCache, folder: Path, index: Path
) -> None:
    wheel = index / "clipper_tiny-1.0-py3-none-any.whl"
    spec = BuildSpec(MODEL, folder, pkgs_to_install=(str(wheel),))
    package = build_archive(spec, store, cache)
    add_wheel(index, "clipper-tiny", {"clipper_tiny.py": "ANSWER = '43'\n"})
    assert build_archive(spec, store, cache) != package


@pytest.mark.usefixtures("index")
def test_a_package_that_is_not_there_is_named_with_pips_last_lines(
    store: ArtifactStore, cache: PackageCache, folder: Path
) -> None:
    spec = BuildSpec(MODEL, folder, pkgs_to_install=("clipper-tiny", "clipper-missing"))
    with pytest.raises(
        BuildError, match=r"(?s)Could not install clipper-missing \(.*No matching distribution"
    ):
        build_archive(spec, store, cache)
    assert not store.directory.exists()
    with pytest.raises(BuildError, match="not options of pip"):
        build_archive(BuildSpec(MODEL, folder, pkgs_to_install=("--pre",)), store, cache)


def test_a_package_that_the_runtime_cannot_run_with_is_refused(
    store: ArtifactStore, cache: PackageCache, folder: Path, index: Path
) -> None:
    add_wheel(index, "clipper-old", {"clipper_old.py": ""}, "cloudpickle<2")
    add_wheel(index, "cloudpickle", {"cloudpickle.py": ""})
    with pytest.raises(BuildError, match=r"(?s)Could not install clipper-old.*cloudpickle>="):
        build_archive(BuildSpec(MODEL, folder, pkgs_to_install=("clipper-old",)), store, cache)


def test_the_cache_forgets_what_was_used_longest_ago(tmp_path: Path, index: Path) -> None:
    for name in ("a", "b"):
        add_wheel(index, f"clipper-{name}", {f"clipper_{name}.py": ""})
    small = PackageCache(tmp_path / "cache", kept_bytes=1)
    first = small.provide(["clipper-a"])
    left = first.parent / "new-killed"
    left.mkdir()
    os.utime(left, (time.time() - 100_000,) * 2)
    second = small.provide(["clipper-b"])
    assert sorted(first.parent.glob("*.tar.gz")) == [second]
    assert not left.exists()


def test_packages_of_too_many_files_are_told(
    tmp_path: Path, index: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_wheel(index, "clipper-many", {f"clipper_many/f{number}": "" for number in range(4001)})
    with caplog.at_level(logging.WARNING):
        PackageCache(tmp_path / "cache").provide(["clipper-many"])
    assert "decompression_file_count_limit" in caplog.text


@pytest.mark.parametrize(
    ("directory", "url", "problem"),
    [
        (None, "http://files", "without artifact_dir: "),
        ("/tmp/x", None, "without artifact_url: "),
        (None, None, "without artifact_dir and artifact_url: "),
        ("/tmp/x", "file:///tmp/x", "refuse file://"),
        ("/tmp/x", "files:8080", "artifact_url is 'files:8080'"),
    ],
)
def test_settings_that_do_not_do_are_named(directory: str | None, url: str | None, problem: str) -> None:
    with pytest.raises(BuildError, match=problem):
        ArtifactStore.parse(directory, url)


def test_a_folder_that_cannot_be_written_is_named(cache: PackageCache, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = ArtifactStore.parse(tmp_path / "file" / "artifacts", "http://files")
    with pytest.raises(BuildError, match="Set artifact_dir to a folder"):
        build_archive(BuildSpec(MODEL, folder), store, cache)
