"""The start of the real model runtime: it serves, or one line of its log says why it does not."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipper_container.kinds.closure import save_closure
from clipper_container.settings import encode_sample
from tests.support.models import row_sums
from tests.support.processes import BIN, Process, eventually

REQUIRED = {
    "CLIPPER_MODEL_NAME": "m",
    "CLIPPER_MODEL_VERSION": "1",
    "CLIPPER_INPUT_TYPE": "doubles",
    "CLIPPER_RPC_ADDRESS": "127.0.0.1:1",
    "CLIPPER_ADMIN_HOST": "127.0.0.1",
    "CLIPPER_ADMIN_PORT": "0",
}


def raising(text: str) -> Callable[[Any], Any]:
    """Return a model that fails on every input."""

    def predict(_inputs: Any) -> Any:
        raise RuntimeError(text)

    return predict


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


def test_a_sample_input_is_answered_before_the_replica_is_ready(saved: Path) -> None:
    sample = encode_sample(np.array([1.0, 2.0]).tobytes())
    environment = {**REQUIRED, "CLIPPER_MODEL_PATH": str(saved), "CLIPPER_SAMPLE_INPUT": sample}
    with Process("runtime", [BIN / "clipper-container"], environment) as process:
        eventually(lambda: "serving m:1" in process.log, "the runtime serves")
        assert process.log.index("answered the sample input in") < process.log.index("serving m:1")


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (raising("the tokenizer is missing"), "RuntimeError: the tokenizer is missing"),
        (lambda _inputs: [1, 2], "the model returned 2 outputs for 1 input"),
        (lambda _inputs: [b"raw"], "the output holds bytes"),
    ],
)
def test_a_model_that_cannot_answer_the_sample_input_ends_with_the_error(
    function: Callable[[Any], Any], error: str, tmp_path: Path
) -> None:
    save_closure(function, tmp_path / "model")
    sample = encode_sample(np.array([1.0]).tobytes())
    code, lines = ended(CLIPPER_MODEL_PATH=str(tmp_path / "model"), CLIPPER_SAMPLE_INPUT=sample)
    assert code == 1
    (reported,) = [line for line in lines if "the model failed on the sample input: " in line]
    assert error in reported


def test_a_sample_input_that_cannot_be_read_is_one_line(saved: Path) -> None:
    code, lines = ended(CLIPPER_MODEL_PATH=str(saved), CLIPPER_SAMPLE_INPUT="no base64")
    assert code == 2
    assert "CLIPPER_SAMPLE_INPUT is not compressed data in base64" in lines[0]


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
