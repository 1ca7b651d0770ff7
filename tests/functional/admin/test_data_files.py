"""Files that travel with a closure: data of local packages, and what the user names."""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.deployers.packing import data_files
from clipper_nomad.deployers.packing.closure import packed_closure
from clipper_nomad.errors import ClipperException

PACKAGE = {
    "clipper_test_words/__init__.py": "from clipper_test_words.reading import count\n",
    "clipper_test_words/reading.py": (
        "import json\nfrom importlib.resources import files\nfrom pathlib import Path\n"
        "VOCABULARY = json.loads(Path(__file__).with_name('vocab.json').read_text())\n"
        "WEIGHTS = json.loads(files('clipper_test_words').joinpath('data/weights.json').read_text())\n"
        "def count(xs):\n    return [VOCABULARY[x] * WEIGHTS[0] for x in xs]\n"
    ),
    "clipper_test_words/vocab.json": '{"a": 1, "b": 2}',
    "clipper_test_words/data/weights.json": "[10]",
    "clipper_test_words/unused.py": "",
    "clipper_test_words/other/__init__.py": "",
    "clipper_test_words/other/not_needed.csv": "1",
    "clipper_test_words/.git/config": "hidden",
    "clipper_test_words/__pycache__/x.pyc": "cache",
}
SERVE = """
import json, os, sys
from pathlib import Path
from clipper_container.kinds.loading import load_model
from clipper_container.kinds.script import become_script
become_script()
print(json.dumps(load_model(Path(sys.argv[1])).predict(["a", "b"])))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current directory, from which modules are imported."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    return folder


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def list_packed(func: Any, **options: Any) -> set[str]:
    with packed_closure(func, **options) as packed:
        modules = packed.folder / "modules"
        return {str(path.relative_to(modules)) for path in modules.rglob("*") if path.is_file()}


def serve(func: Any, **options: Any) -> Any:
    """Return what a process elsewhere answers for "a" and "b"."""
    with packed_closure(func, **options) as packed:
        done = subprocess.run(
            [sys.executable, "-c", SERVE, packed.folder],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_package_that_reads_its_own_files_answers_elsewhere(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(here, PACKAGE)
    count = importlib.import_module("clipper_test_words").count
    with caplog.at_level(logging.INFO, "clipper"):
        assert serve(lambda xs: count(xs)) == [10, 20]
    assert "travel too: clipper_test_words/data/weights.json, clipper_test_words/vocab.json" in caplog.text
    assert "Left out (hidden): clipper_test_words/.git" in caplog.text
    assert "Left out (cache): clipper_test_words/__pycache__" in caplog.text
    assert "Left out (not imported: name it in `modules` if" in caplog.text
    assert "clipper_test_words/unused.py" in caplog.text
    assert "not_needed" not in caplog.text


def test_a_folder_of_modules_without_init_brings_its_data_too(here: Path) -> None:
    source = (
        "from pathlib import Path\n"
        "def read(xs):\n    return [Path(__file__).with_name('w.txt').read_text()]\n"
    )
    write(here, {"clipper_test_ns/m.py": source, "clipper_test_ns/w.txt": "w", "clipper_test_ns/d/e/f": ""})
    write(here, {"clipper_test_ns/other/n.py": "", "clipper_test_ns/other/not_needed.txt": ""})
    read = importlib.import_module("clipper_test_ns.m").read
    assert serve(lambda xs: read(xs)) == ["w"]
    names = list_packed(lambda xs: read(xs))
    assert names == {f"clipper_test_ns/{name}" for name in ("m.py", "w.txt", "d/e/f")}


def test_large_data_is_left_out_with_a_warning(
    here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(here, {f"clipper_test_large/{name}": "12345" for name in ("a.bin", "b.bin", "c.bin")})
    write(
        here,
        {"clipper_test_large/__init__.py": "def f(xs): return xs\n", "clipper_test_large/d.bin": "1" * 11},
    )
    monkeypatch.setattr(data_files, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(data_files, "MAX_ALL_BYTES", 12)
    func = importlib.import_module("clipper_test_large").f
    with caplog.at_level(logging.WARNING, "clipper"):
        names = list_packed(lambda xs: func(xs))
    assert names == {f"clipper_test_large/{name}" for name in ("__init__.py", "a.bin", "b.bin")}
    assert "Left out (too large, more than" in caplog.text
    assert caplog.text.rstrip().endswith(
        "name it in `files`): clipper_test_large/c.bin, clipper_test_large/d.bin"
    )
    named = list_packed(lambda xs: func(xs), files=["clipper_test_large/d.bin"])
    assert "clipper_test_large/d.bin" in named


def test_named_files_are_where_the_function_looks_for_them(here: Path, tmp_path: Path) -> None:
    write(here, {"vocab.json": "v", "data/deep/w.txt": "w", "data/.hidden": "", "data/__pycache__/x": ""})
    write(tmp_path, {"elsewhere/outside.txt": "o"})
    files = ["vocab.json", here / "data", "../elsewhere/outside.txt"]

    def predict(_inputs: Any) -> list[str]:
        return [Path(name).read_text() for name in ("vocab.json", "data/deep/w.txt", "outside.txt")]

    assert serve(predict, files=files) == ["v", "w", "o"]
    assert list_packed(predict, files=files) == {"vocab.json", "data/deep/w.txt", "outside.txt"}


def test_a_script_and_its_modules_find_named_files_beside_them(here: Path) -> None:
    source = (
        "from pathlib import Path\ndef read():\n    return Path(__file__).with_name('v.txt').read_text()\n"
    )
    script = """
import sys
import clipper_test_beside
from pathlib import Path
from clipper_nomad.deployers.packing.closure import packed_closure

def predict(xs):
    return [clipper_test_beside.read(), Path(__file__).with_name("v.txt").read_text()]

import shutil
with packed_closure(predict, files=["v.txt"]) as packed:
    shutil.copytree(packed.folder, sys.argv[1])
"""
    write(here, {"clipper_test_beside.py": source, "v.txt": "v", "script.py": script})
    packed = here.parent / "packed"
    subprocess.run([sys.executable, here / "script.py", packed], check=True, timeout=60)
    for name in ("clipper_test_beside.py", "v.txt"):
        (here / name).unlink()
    done = subprocess.run(
        [sys.executable, "-c", SERVE, packed], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == ["v", "v"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ("vocab.json", "pass a list of paths"),
        (["missing.json"], "'missing.json', which does not exist: give its path from"),
        ([3], "use paths of files and folders"),
        (["one/a.txt", "one", "../here/one/a.txt", "../other/one"], "would both be one/a.txt"),
    ],
)
def test_files_that_cannot_travel_are_refused(here: Path, files: Any, reason: str) -> None:
    write(here, {"vocab.json": "", "one/a.txt": ""})
    write(here.parent, {"other/one/a.txt": ""})
    with pytest.raises(ClipperException, match=reason), packed_closure(len, files=files):
        raise AssertionError


# -- modules -----------------------------------------------------------------------------------------------


def test_a_module_that_is_imported_by_a_computed_name_travels_if_it_is_named(here: Path) -> None:
    write(
        here,
        {
            "clipper_test_plugins/__init__.py": "",
            "clipper_test_plugins/plugin_a.py": "from clipper_test_common import WORD\n",
            "clipper_test_plugins/inner/plugin_b.py": "WORD = 'b'\n",
            "clipper_test_plugins/inner/words.txt": "",
            "clipper_test_common.py": "WORD = 'a'\n",
        },
    )

    def predict(_inputs: Any) -> list[str]:
        names = ("plugin_a", "inner.plugin_b")
        return [importlib.import_module(f"clipper_test_plugins.{name}").WORD for name in names]

    assert serve(predict, modules=["clipper_test_plugins"]) == ["a", "b"]
    assert "clipper_test_plugins/inner/words.txt" in list_packed(predict, modules=["clipper_test_plugins"])
    module = importlib.import_module("clipper_test_plugins.plugin_a")
    assert list_packed(predict, modules=[module]) == {
        "clipper_test_plugins/__init__.py",
        "clipper_test_plugins/plugin_a.py",
        "clipper_test_common.py",
    }


def test_a_named_package_that_is_installed_is_pinned() -> None:
    with packed_closure(len, modules=["numpy.linalg"]) as packed:
        assert any(name.startswith("numpy==") for name in packed.pkgs_to_install or ())
        assert not os.path.exists(packed.folder / "modules")  # noqa: PTH110 - it is not there


@pytest.mark.parametrize(
    ("modules", "reason"),
    [
        ("json", "pass a list of modules"),
        (["clipper_test_missing"], "cannot be found here"),
        ([3], "cannot be found"),
    ],
)
def test_modules_that_are_not_there_are_refused(modules: Any, reason: str) -> None:
    with pytest.raises(ClipperException, match=reason), packed_closure(len, modules=modules):
        raise AssertionError
