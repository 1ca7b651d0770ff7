"""Kinds of models: real folders are saved and loaded, those of another distribution's kind among them."""

from __future__ import annotations

import importlib
import json
import platform
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from clipper_container.kinds.closure import ClosureMismatch, save_closure
from clipper_container.kinds.loading import KINDS, load_model
from clipper_container.model import Model, ModelLoadError
from tests.support.models import row_sums

#: Another distribution's kind: its native form is a text file with a factor.
STONES = """
from clipper_container.model import Model

class Stone(Model):
    def __init__(self, factor):
        self._factor = factor

    @classmethod
    def load(cls, directory, manifest):
        return cls(float((directory / manifest["file"]).read_text()))

    def predict(self, inputs):
        return inputs.sum(axis=1) * self._factor

class Pebble:
    pass
"""
ENTRY_POINTS = """
[clipper_container.kinds]
broken = no_such_package:Broken
missing = stones:Boulder
pebble = stones:Pebble
python-closure = stones:Stone
stone = stones:Stone
"""
SERVE = """
import sys
from pathlib import Path
import numpy as np
from clipper_container.kinds.loading import load_model
print(load_model(Path(sys.argv[1])).predict(np.array([[1.0, 2.0], [3.0, 4.0]])))
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_closure(row_sums(), tmp_path / "model")
    return tmp_path / "model"


def claim(directory: Path, **changes: object) -> None:
    path = directory / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_every_built_in_kind_is_a_model() -> None:
    for path in KINDS.values():
        module, _, name = path.partition(":")
        assert issubclass(getattr(importlib.import_module(module), name), Model)


# -- python-closure ----------------------------------------------------------------------------------------


def test_a_saved_function_predicts(saved: Path) -> None:
    assert json.loads((saved / "model.json").read_text())["kind"] == "python-closure"
    assert not (saved / "closure.json").exists()
    assert load_model(saved).predict(np.array([[1.0, 2.0]])) == ["3.0"]


def test_a_folder_that_an_older_version_saved_is_loaded(tmp_path: Path) -> None:
    manifest = {
        "format": 1,
        "kind": "python-closure",
        "python": ".".join(platform.python_version_tuple()[:2]),
        "cloudpickle": cloudpickle.__version__,
    }
    (tmp_path / "closure.json").write_text(json.dumps(manifest, indent=2) + "\n")
    (tmp_path / "closure.pkl").write_bytes(cloudpickle.dumps(row_sums()))
    assert load_model(tmp_path).predict(np.array([[1.0, 2.0]])) == ["3.0"]


# -- folders of Clipper's ------------------------------------------------------------------------------------


@pytest.fixture
def clippers(tmp_path: Path) -> Path:
    """Return a folder as Clipper's admin library writes it."""

    def predict(inputs: Any) -> list[str]:
        word = importlib.import_module("closure_tests_clippers").WORD
        return [word for _ in inputs]

    folder = tmp_path / "clippers"
    (folder / "modules").mkdir(parents=True)
    (folder / "modules" / "closure_tests_clippers.py").write_text("WORD = 'there'\n")
    (folder / "func.pkl").write_bytes(cloudpickle.dumps(predict, protocol=2))
    return folder


def test_a_folder_of_clippers_admin_library_is_loaded(
    clippers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_model(clippers).predict(np.array(["a", "b"])) == ["there", "there"]
    assert sys.path[-1] == str(clippers / "modules")


def test_a_function_that_imports_clippers_admin_library_finds_its_metrics(clippers: Path) -> None:
    """In a process of its own, since a process has the names of metrics for good."""

    def predict(inputs: Any) -> list[str]:
        import clipper_admin.metrics  # type: ignore[import-not-found]

        try:
            clipper_admin.metrics.report_metric("missing", 1)
        except clipper_admin.ClipperException:
            return ["refused" for _ in inputs]
        return []

    (clippers / "func.pkl").write_bytes(cloudpickle.dumps(predict, protocol=2))
    process = served(clippers.parent, clippers)
    assert (process.returncode, process.stdout) == (0, "['refused', 'refused']\n"), process.stderr


@pytest.mark.parametrize(
    "pickled", [b"", b"\x80\x02ccloudpickle.cloudpickle\n_fill_function\n.", b"cmarshal\nloads\n(S'?'\ntR."]
)
def test_a_function_that_an_unknown_python_saved_says_what_may_be_wrong(
    clippers: Path, monkeypatch: pytest.MonkeyPatch, pickled: bytes
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (clippers / "func.pkl").write_bytes(pickled)
    with pytest.raises(ClosureMismatch, match="does not say what saved it: deploy the function anew"):
        load_model(clippers)


def test_clippers_containers_read_what_is_saved_here(tmp_path: Path) -> None:
    """As Clipper's Python container does, which has none of this project's code."""
    script = """
import os, sys
import cloudpickle
sys.modules["clipper_container"] = None
sys.path.append(os.path.abspath(sys.argv[1] + "/modules/"))
with open(sys.argv[1] + "/func.pkl", "rb") as serialized:
    print(cloudpickle.load(serialized)(["a"]))
"""

    def predict(inputs: Any) -> list[str]:
        word = importlib.import_module("closure_tests_ours").WORD
        return [word for _ in inputs]

    save_closure(predict, tmp_path, {"closure_tests_ours.py": b"WORD = 'there'\n"}, protocol=2)
    assert (tmp_path / "func.pkl").read_bytes()[:2] == b"\x80\x02"
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("['there']\n", "")


# -- python-closure, further on --------------------------------------------------------------------------


def test_modules_travel_and_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(inputs: Any) -> list[str]:
        word = importlib.import_module("closure_tests_package.part").WORD
        return [word for _ in inputs]

    modules = {"closure_tests_package/__init__.py": b"", "closure_tests_package/part.py": b"WORD = 'there'\n"}
    save_closure(predict, tmp_path, modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_model(tmp_path).predict(np.array(["a", "b"])) == ["there", "there"]
    assert sys.path[0] == str(tmp_path / "modules")


def test_another_minor_version_of_cloudpickle_loads(saved: Path) -> None:
    major = cloudpickle.__version__.partition(".")[0]
    claim(saved, cloudpickle=f"{major}.99.9")
    assert load_model(saved).predict(np.array([[1.0, 2.0]])) == ["3.0"]


def test_a_mismatch_is_reported_before_anything_is_unpickled(saved: Path) -> None:
    claim(saved, python="2.7")
    (saved / "func.pkl").write_bytes(b"cno_such_package\nfunction\n.")
    with pytest.raises(ClosureMismatch):
        load_model(saved)


@pytest.mark.parametrize("path", ["/etc/passwd", "../up.py", "a/../../up.py", ""])
def test_a_module_path_that_leaves_the_directory_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="relative path"):
        save_closure(row_sums(), tmp_path / "model", {path: b""})
    assert not (tmp_path / "model").exists()


def test_what_cannot_be_pickled_or_called_says_so(tmp_path: Path) -> None:
    with socket.socket() as unpicklable:

        def predict(inputs: Any) -> list[str]:
            return [str(unpicklable) for _ in inputs]

        with pytest.raises(TypeError, match="inside the function"):
            save_closure(predict, tmp_path)
    with pytest.raises(TypeError, match="a model needs a function, not int"):
        save_closure(3, tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda path: [each.unlink() for each in path.iterdir()],
            "is not a model folder: cannot read model.json",
        ),
        (lambda path: (path / "model.json").write_text("{"), "is not valid JSON"),
        (lambda path: (path / "model.json").write_text("[]"), "does not name the model's kind"),
        (lambda path: claim(path, kind="stone"), "kind 'stone', which is unknown here.* python-closure"),
        (lambda path: claim(path, format=99), "format 99: this runtime reads formats up to 2"),
        (lambda path: (path / "func.pkl").unlink(), "is incomplete: cannot read func.pkl"),
        (lambda path: (path / "func.pkl").write_bytes(b"I3\n."), "holds int, not a function"),
    ],
)
def test_a_damaged_folder_says_what_is_wrong(
    saved: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(saved)
    with pytest.raises(ModelLoadError, match=message):
        load_model(saved)


# -- kinds of other distributions --------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder in which a distribution with kinds of its own is installed."""
    info = tmp_path / "site" / "stones-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stones\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (info.parent / "stones.py").write_text(STONES)
    return info.parent


def served(site: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return the end of a process that sees the distribution and predicts with the model in `folder`."""
    script = f"import sys; sys.path.insert(0, {str(site)!r}){SERVE}"
    command = [sys.executable, "-c", script, str(folder)]
    return subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)


def stone(tmp_path: Path, kind: str) -> Path:
    folder = tmp_path / "stone"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"kind": kind, "file": "factor.txt"}))
    (folder / "factor.txt").write_text("10")
    return folder


def test_a_kind_of_another_distribution_loads_its_native_form(site: Path, tmp_path: Path) -> None:
    process = served(site, stone(tmp_path, "stone"))
    assert (process.returncode, process.stdout) == (0, "[30. 70.]\n"), process.stderr


def test_a_built_in_kind_cannot_be_replaced(site: Path, saved: Path) -> None:
    process = served(site, saved)
    assert (process.returncode, process.stdout) == (0, "['3.0', '7.0']\n"), process.stderr


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("broken", "kind 'broken' (no_such_package:Broken) cannot be loaded: ModuleNotFoundError: No module"),
        ("missing", "kind 'missing' (stones:Boulder) cannot be loaded: AttributeError: "),
        ("pebble", "kind 'pebble' (stones:Pebble) is not a subclass of clipper_container.model.Model"),
        ("sand", "xgboost, broken, missing, pebble, stone; install the package"),
    ],
)
def test_a_kind_that_cannot_be_had_says_why(site: Path, tmp_path: Path, kind: str, message: str) -> None:
    process = served(site, stone(tmp_path, kind))
    assert process.returncode == 1
    assert message in process.stderr
