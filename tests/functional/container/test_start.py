"""The start of the real model runtime: it serves, or one line of its log says why it does not."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path

import pytest

from clipper_container.kinds.closure import save_closure
from tests.support.models import row_sums
from tests.support.processes import BIN, Process

REQUIRED = {
    "CLIPPER_MODEL_NAME": "m",
    "CLIPPER_MODEL_VERSION": "1",
    "CLIPPER_INPUT_TYPE": "doubles",
    "CLIPPER_RPC_ADDRESS": "127.0.0.1:1",
    "CLIPPER_ADMIN_HOST": "127.0.0.1",
    "CLIPPER_ADMIN_PORT": "0",
}


def ended(*arguments: str, **environment: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines logged by a runtime that ends by itself."""
    with Process("runtime", [BIN / "clipper-container", *arguments], {**REQUIRED, **environment}) as process:
        return process.wait(), process.log.splitlines()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_closure(row_sums(), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(("name", "other"), [("python", "2.7"), ("cloudpickle", "99.1")])
def test_a_mismatch_is_one_line_that_names_both_versions(saved: Path, name: str, other: str) -> None:
    path = saved / "model.json"
    manifest = json.loads(path.read_text())
    ours = manifest[name]
    path.write_text(json.dumps({**manifest, name: other}))
    code, lines = ended(CLIPPER_MODEL_PATH=str(saved))
    assert code == 3
    (line,) = (line for line in lines if "listening" not in line)
    assert other in line
    assert ours in line


def test_wrong_settings_are_one_line(saved: Path) -> None:
    code, lines = ended(CLIPPER_MODEL_PATH=str(saved), CLIPPER_INPUT_TYPE="numbers")
    assert code == 2
    assert len(lines) == 1
    assert "CLIPPER_INPUT_TYPE" in lines[0]


def test_a_missing_model_says_where_it_was_looked_for(tmp_path: Path) -> None:
    code, lines = ended(CLIPPER_MODEL_PATH=str(tmp_path))
    assert code == 1
    assert f"{tmp_path} is not a model folder" in lines[-1]


def test_an_admin_port_that_is_taken_says_so(saved: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        code, lines = ended(CLIPPER_MODEL_PATH=str(saved), CLIPPER_ADMIN_PORT=port)
    assert code == 1
    assert f"could not listen on 127.0.0.1 port {port}" in lines[-1]


def test_check_loads_the_model_and_needs_no_other_setting(saved: Path) -> None:
    with Process(
        "check", [BIN / "clipper-container", "--check"], {"CLIPPER_MODEL_PATH": str(saved)}
    ) as process:
        assert (process.wait(), process.log) == (0, "")


def test_check_fails_with_the_reason_that_the_model_cannot_be_loaded(saved: Path) -> None:
    (saved / "func.pkl").write_bytes(b"cno_such_package\nfunction\n.")
    code, lines = ended("--check", CLIPPER_MODEL_PATH=str(saved))
    assert code == 1
    assert any(
        "No module named 'no_such_package'; name its package in pkgs_to_install" in line for line in lines
    )
