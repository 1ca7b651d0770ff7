"""How the real model runtime starts, or says in one line why it does not."""

from __future__ import annotations

import importlib
import json
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipper_container.closure import ClosureMismatch, load_closure, save_closure
from clipper_container.model import KINDS, Model, ModelLoadError, load_model
from tests.support.models import row_sums
from tests.support.processes import BIN, Process

LEAST = {
    "CLIPPER_MODEL_NAME": "m",
    "CLIPPER_MODEL_VERSION": "1",
    "CLIPPER_INPUT_TYPE": "doubles",
    "CLIPPER_RPC_ADDRESS": "127.0.0.1:1",
    "CLIPPER_ADMIN_HOST": "127.0.0.1",
    "CLIPPER_ADMIN_PORT": "0",
}


def ended(*arguments: str, **environment: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines logged by a runtime that ends by itself."""
    with Process("runtime", [BIN / "clipper-container", *arguments], {**LEAST, **environment}) as process:
        return process.wait(), process.log.splitlines()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_closure(row_sums(), tmp_path / "model")
    return tmp_path / "model"


def claim(directory: Path, **changes: object) -> None:
    path = directory / "closure.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(("name", "other"), [("python", "2.7"), ("cloudpickle", "99.1")])
def test_a_mismatch_is_one_line_that_names_both_versions(saved: Path, name: str, other: str) -> None:
    ours = json.loads((saved / "closure.json").read_text())[name]
    claim(saved, **{name: other})
    code, lines = ended(CLIPPER_MODEL_PATH=str(saved))
    assert code == 3
    (line,) = (line for line in lines if "listening" not in line)
    assert other in line
    assert ours in line


def test_another_minor_version_of_cloudpickle_loads(saved: Path) -> None:
    major = json.loads((saved / "closure.json").read_text())["cloudpickle"].partition(".")[0]
    claim(saved, cloudpickle=f"{major}.99.9")
    assert callable(load_closure(saved))


def test_wrong_settings_are_one_line(saved: Path) -> None:
    code, lines = ended(CLIPPER_MODEL_PATH=str(saved), CLIPPER_INPUT_TYPE="numbers")
    assert code == 2
    assert len(lines) == 1
    assert "CLIPPER_INPUT_TYPE" in lines[0]


def test_a_missing_model_says_where_it_was_looked_for(tmp_path: Path) -> None:
    code, lines = ended(CLIPPER_MODEL_PATH=str(tmp_path))
    assert code == 1
    assert f"{tmp_path} is no model directory" in lines[-1]


def test_an_admin_port_that_is_taken_says_so(saved: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        code, lines = ended(CLIPPER_MODEL_PATH=str(saved), CLIPPER_ADMIN_PORT=port)
    assert code == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in lines[-1]


def test_check_loads_the_model_and_needs_no_other_setting(saved: Path) -> None:
    with Process(
        "check", [BIN / "clipper-container", "--check"], {"CLIPPER_MODEL_PATH": str(saved)}
    ) as process:
        assert (process.wait(), process.log) == (0, "")


def test_check_fails_with_the_reason_that_the_model_cannot_be_loaded(saved: Path) -> None:
    (saved / "closure.pkl").write_bytes(b"cno_such_package\nfunction\n.")
    code, lines = ended("--check", CLIPPER_MODEL_PATH=str(saved))
    assert code == 1
    assert any(
        "No module named 'no_such_package'; name its package in pkgs_to_install" in line for line in lines
    )


# -- the closure format ------------------------------------------------------------------------------------


def test_modules_travel_and_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(inputs: Any) -> list[str]:
        word = importlib.import_module("closure_tests_package.part").WORD
        return [word for _ in inputs]

    modules = {"closure_tests_package/__init__.py": b"", "closure_tests_package/part.py": b"WORD = 'there'\n"}
    save_closure(predict, tmp_path, modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_closure(tmp_path)([1, 2]) == ["there", "there"]
    assert sys.path[0] == str(tmp_path / "modules")


def test_load_model_gives_a_model_that_predicts(saved: Path) -> None:
    assert load_model(saved).predict(np.array([[1.0, 2.0]])) == ["3.0"]


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


def test_a_mismatch_is_told_before_anything_is_unpickled(saved: Path) -> None:
    claim(saved, python="2.7")
    (saved / "closure.pkl").write_bytes(b"cno_such_package\nfunction\n.")
    with pytest.raises(ClosureMismatch):
        load_closure(saved)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "closure.json").unlink(), "is no model directory"),
        (lambda path: (path / "closure.json").write_text("{"), "is not JSON"),
        (lambda path: (path / "closure.json").write_text("[]"), "kind"),
        (lambda path: claim(path, kind="stone"), "kind 'stone': this runtime loads python-closure"),
        (lambda path: claim(path, format=99), "format 99: this runtime reads format 1"),
        (lambda path: (path / "closure.pkl").unlink(), "is not whole"),
        (lambda path: (path / "closure.pkl").write_bytes(b"I3\n."), "holds int, not a function"),
    ],
)
def test_a_damaged_directory_says_what_is_wrong(
    saved: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(saved)
    with pytest.raises(ModelLoadError, match=message):
        load_model(saved)


def test_every_kind_of_model_is_there() -> None:
    for path in KINDS.values():
        module, _, name = path.partition(":")
        assert issubclass(getattr(importlib.import_module(module), name), Model)
