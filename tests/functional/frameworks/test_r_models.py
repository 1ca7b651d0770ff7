"""The kind `r` with a real R process: inputs, outputs, errors, and what becomes of a process that ends."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clipper_container.input_types import InputType
from clipper_container.kinds.frameworks.r.child import RProcess
from clipper_container.kinds.frameworks.r.model import RModel
from clipper_container.model import ModelLoadError
from clipper_container.serving.runner import BatchResult, Runner
from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_OK
from tests.support.frameworks.r import R, load, require_r

_TIMEOUT_S = 30
_ASK = """
import sys
from pathlib import Path
import numpy as np
from tests.support.frameworks.r import load
load(Path(sys.argv[1])).predict(np.array(["a"], dtype=object))
"""
_OK, _FAILED = bytes([STATUS_OK]), bytes([STATUS_MODEL_ERROR])
Serve = Callable[[str], "Served"]


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> R:
    """An R with clipperr."""
    require_r()
    return R(tmp_path_factory.mktemp("r"))


class Served:
    """A model as a replica runs it."""

    def __init__(self, model: RModel, input_type: InputType) -> None:
        self.model = model
        self._runner = Runner(model, input_type, time.monotonic)

    def run(self, *inputs: bytes) -> BatchResult:
        """Return the result of one batch."""
        return self._runner.run(inputs, float("inf"))

    def answers(self, *inputs: bytes) -> list[str]:
        """Return the outputs of a batch on which nothing fails."""
        result = self.run(*inputs)
        assert result.statuses == _OK * len(inputs), result.outputs
        return [output.decode() for output in result.outputs]


@pytest.fixture
def serve(r: R, tmp_path: Path) -> Iterator[Serve]:
    """A call that runs a script, which saves a model in `model`, and serves it."""
    started: list[RModel] = []

    def serve_saved(script: str) -> Served:
        r.save(script, tmp_path)
        started.append(load(tmp_path / "model"))
        manifest = json.loads((tmp_path / "model" / "model.json").read_text())
        return Served(started[-1], InputType.parse(manifest["model"]["input_type"]))

    yield serve_saved
    for model in started:
        model.close()


def doubles(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}d", *numbers)


# -- inputs ------------------------------------------------------------------------------------------------


def test_a_function_gets_a_list_of_vectors_of_any_lengths(serve: Serve) -> None:
    served = serve("save_model(function(inputs) lapply(inputs, sum), c(1, 2), 'model')")
    assert served.answers(doubles(1, 2), doubles(), doubles(4)) == ["3.0", "0.0", "4.0"]


def test_a_function_of_a_matrix_gets_a_row_for_each_input(serve: Serve) -> None:
    served = serve("save_model(function(matrix) rowSums(matrix) * ncol(matrix), c(1, 2), 'model')")
    assert served.answers(doubles(1, 2), doubles(3, 4)) == ["6.0", "14.0"]


def test_inputs_of_several_lengths_reach_a_function_of_a_matrix_one_by_one(serve: Serve) -> None:
    served = serve("save_model(function(m) rowSums(m), c(1, 2), 'model', as_matrix = TRUE)")
    assert served.answers(doubles(1, 2), doubles(5)) == ["3.0", "5.0"]


def test_floats_are_doubles(serve: Serve) -> None:
    served = serve("save_model(function(inputs) lapply(inputs, sum), c(1, 2), 'model')")
    floats = Served(served.model, InputType.FLOATS)
    assert floats.answers(struct.pack("<2f", 0.5, 1), struct.pack("<f", 4)) == ["1.5", "4.0"]


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_strings_are_utf8_both_ways(serve: Serve, monkeypatch: pytest.MonkeyPatch, locale: str) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    served = serve("save_model(function(inputs) lapply(inputs, toupper), 'a', 'model')")
    assert served.answers("grün".encode(), b"", "\N{SNOWMAN}".encode()) == ["GRÜN", "", "\N{SNOWMAN}"]


def test_a_string_that_r_cannot_hold_fails_alone(serve: Serve) -> None:
    result = serve("save_model(function(inputs) inputs, 'a', 'model')").run(b"a", b"b\0c")
    assert result.statuses == _OK + _FAILED
    assert b"NUL character" in result.outputs[1]


def test_bytes_are_raw_and_integers_integers(serve: Serve) -> None:
    whole = "save_model(function(x) lapply(x, function(v) paste(typeof(v), sum(as.integer(v)))), {}, 'model')"
    assert serve(whole.format("as.raw(1)")).answers(bytes([255, 1]), b"") == ["raw 256", "raw 0"]
    assert serve(whole.format("1L")).answers(struct.pack("<2i", -3, 100000)) == ["integer 99997"]


def test_rows_of_a_data_frame_come_serialised_or_as_json_objects(serve: Serve, tmp_path: Path) -> None:
    served = serve(
        "train <- data.frame(x = 1:9, g = rep(c('a', 'b', 'c'), 3), y = (1:9) * 2 + rep(0:2, 3))\n"
        "save_model(lm(y ~ x + g, train), train[1, c('x', 'g')], 'model')\n"
        "writeLines(jsonlite::serializeJSON(data.frame(x = 5, g = 'b')), 'row.json')"
    )
    serialised = (tmp_path / "row.json").read_bytes()
    answers = served.answers(serialised, b'{"x": 10, "g": "c"}')
    assert [round(float(each), 6) for each in answers] == [11.0, 22.0]


def test_code_in_a_serialised_input_is_refused(serve: Serve) -> None:
    served = serve("save_model(function(inputs) lapply(inputs, length), list(1), 'model')")
    for kind in ("closure", "builtin", "S4", "namespace", "language"):
        code: dict[str, object] = {"type": kind, "attributes": {}, "value": ["AAAA"]}
        packed = {"type": "list", "attributes": {}, "value": [code]}
        result = served.run(json.dumps(packed).encode())
        assert result.statuses == _FAILED
        assert f"an R object of type {kind}, and only data may be sent".encode() in result.outputs[0]


# -- outputs -----------------------------------------------------------------------------------------------


_OUTPUTS = [
    ("c(0.1, NA)", ["0.1", "null"]),
    ("c(100000L, NA)", ["100000", "null"]),
    ("c(TRUE, NA)", ["true", "null"]),
    ("c('a', NA)", ["a", "null"]),
    ("factor(c('low', 'high'))", ["low", "high"]),
    ("list(c(1, 2), 3)", ["[1.0, 2.0]", "[3.0]"]),
    ("list(list(a = 1L, b = 'x'), NULL)", ['{"a":1,"b":"x"}', "null"]),
    ("matrix(c(1, 2, 3, 4), 2)", ["[1.0, 3.0]", "[2.0, 4.0]"]),
    ("data.frame(a = 1:2, b = c('x', 'y'))", ['{"a":1,"b":"x"}', '{"a":2,"b":"y"}']),
    ("as.Date(c('2024-02-29', '2024-03-01'))", ['"2024-02-29"', '"2024-03-01"']),
]


def test_outputs_are_json(serve: Serve) -> None:
    served = serve("save_model(function(x) eval(parse(text = x[[1]])), 'TRUE', 'model', warm_up = FALSE)")
    for outputs, sent in _OUTPUTS:
        assert served.answers(outputs.encode(), outputs.encode()) == sent


def test_an_output_too_few_is_a_model_error(serve: Serve) -> None:
    served = serve("save_model(function(inputs) list(), 1, 'model', warm_up = FALSE)")
    assert b"returned 0 outputs for 1 input" in served.run(doubles(1)).outputs[0]


# -- what travels ------------------------------------------------------------------------------------------


def test_globals_travel_through_functions_closures_lists_and_methods(serve: Serve) -> None:
    served = serve(
        "offset <- 100\n"
        "add <- function(x) x + offset\n"
        "print.price <- function(x, ...) 'priced'\n"
        "scale_by <- function(k) { inner <- function(x) add(x * k); function(inputs) {\n"
        "  lapply(inputs, function(x) steps$last(inner(x))) } }\n"
        "steps <- list(last = function(x) paste(shown(x)))\n"
        "shown <- function(x) paste(print(structure(x, class = 'price')), x)\n"
        "unused <- 'big'\n"
        "save_model(scale_by(2), 1, 'model')\n"
        "saved <- names(readRDS('model/model/model.rds')$globals)\n"
        "stopifnot(setequal(saved, c('add', 'offset', 'print.price', 'shown', 'steps')))"
    )
    assert served.answers(doubles(1)) == ["priced 102"]


def test_training_data_stays_and_attached_packages_are_attached(serve: Serve) -> None:
    served = serve(
        "library(splines)\n"
        "train <- data.frame(x = 1:20, y = (1:20)^2)\n"
        "fit <- lm(y ~ bs(x, df = 5), train)\n"
        "save_model(function(matrix) predict(fit, as.data.frame(matrix)), c(x = 3), 'model')\n"
        "stopifnot(setequal(names(readRDS('model/model/model.rds')$globals), 'fit'))"
    )
    assert float(served.answers(doubles(10))[0]) == pytest.approx(100, abs=1)


# -- errors and ends ---------------------------------------------------------------------------------------


def test_an_error_of_r_is_a_model_error_of_its_input_alone(serve: Serve) -> None:
    served = serve(
        "save_model(function(inputs) lapply(inputs, function(x) log('a'[x])), 2, 'model', warm_up = FALSE)"
    )
    assert served.run(doubles(1)).outputs == [b"RError: non-numeric argument to mathematical function"]
    served = serve(
        "save_model(function(x) lapply(x, function(v) if (v < 0) stop('below 0') else v), 2, 'model')"
    )
    result = served.run(doubles(1), doubles(-1), doubles(3))
    assert result.statuses == _OK + _FAILED + _OK
    assert result.outputs == [b"1.0", b"RError: below 0", b"3.0"]


def test_what_a_function_prints_is_no_answer(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    served = serve(
        "shout <- function(x) { cat('loud\\n'); print(1); warning('beware'); message('hear'); 1 }\n"
        "save_model(shout, 1, 'model')"
    )
    assert served.answers(doubles(1)) == ["1.0"]
    printed = capfd.readouterr()
    assert "loud" in printed.out
    assert "beware" in printed.err and "hear" in printed.err


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("tools::pskill(Sys.getpid(), 9)", b"the R process was killed by signal 9 (SIGKILL)"),
        ("quit(status = 3)", b"the R process ended itself with exit status 3"),
    ],
)
def test_a_process_that_ends_fails_its_input_and_the_next_is_served(
    serve: Serve, end: str, reason: bytes
) -> None:
    served = serve(
        f"save_model(function(x) lapply(x, function(v) if (v == 'end') {end} else v), 'a', 'model')"
    )
    result = served.run(b"a", b"end", b"b")
    assert result.statuses == _OK + _FAILED + _OK
    assert reason in result.outputs[1]
    assert served.answers(b"c") == ["c"]


def test_another_process_starts_as_soon_as_one_has_ended(serve: Serve) -> None:
    served = serve("save_model(function(inputs) quit(), 'a', 'model', warm_up = FALSE)")
    ended = served.model.pid
    assert served.run(b"a").statuses == _FAILED
    assert served.model.pid != ended


def test_a_process_that_was_killed_between_batches_fails_none(serve: Serve) -> None:
    served = serve("save_model(function(inputs) inputs, 'a', 'model')")
    pid = served.model.pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert served.answers(b"a") == ["a"]
    assert served.model.pid != pid


def test_a_process_ends_with_its_pipe(r: R, tmp_path: Path) -> None:
    r.save("save_model(function(inputs) inputs, 'a', 'model')", tmp_path)
    process = RProcess(tmp_path / "model" / "model" / "model.rds", warm_up=False)
    process.wait_ready()
    process.hang_up()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert "exit status 0" in process.explain_end()
    process.close()


def test_a_process_that_computes_ends_with_its_replica(r: R, tmp_path: Path) -> None:
    loop = "function(inputs) { cat('computing', Sys.getpid(), '\\n'); repeat {} }"
    r.save(f"save_model({loop}, 'a', 'model', warm_up = FALSE)", tmp_path)
    command = [sys.executable, "-c", _ASK, str(tmp_path / "model")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as replica:
        assert replica.stdout is not None
        ending = os.pidfd_open(int(replica.stdout.readline().split()[1]))
        replica.kill()
        assert select.select([ending], [], [], _TIMEOUT_S)[0]
        os.close(ending)


def test_a_model_that_fails_on_its_sample_is_not_loaded(r: R, tmp_path: Path) -> None:
    r.save(
        "save_model(function(x) x, 'a', 'model')\n"
        "model <- readRDS('model/model/model.rds')\n"
        "model$fn <- function(x) missing_one(x)\n"
        "saveRDS(model, 'model/model/model.rds')",
        tmp_path,
    )
    with pytest.raises(
        ModelLoadError, match='R cannot load the model: could not find function "missing_one"'
    ):
        load(tmp_path / "model")


def test_no_r_is_a_reason(r: R, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    r.save("save_model(function(x) x, 'a', 'model')", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelLoadError, match="no Rscript on PATH"):
        load(tmp_path / "model")


# -- saving ------------------------------------------------------------------------------------------------


def test_build_model_takes_clippers_arguments_and_prints_the_deployment(r: R, tmp_path: Path) -> None:
    script = "build_model('m', 2, function(inputs) inputs, 'a', 'registry:5000')"
    line = r.save(script, tmp_path).strip().splitlines()[-1]
    folder = json.dumps(str(tmp_path / "m-2"))
    assert line == (
        f'r_deployer.deploy_r_model(clipper_conn, "m", "2", "strings", {folder}, registry="registry:5000")'
    )
    assert (tmp_path / "m-2" / "model.json").is_file()


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("save_model(function(x) stop('no'), 1, 'model')", "the model fails on sample_input: no"),
        ("save_model(function(x) 1:3, 1, 'model')", "returns 3 outputs for one input"),
        ("save_model(function(x) x, quote(a), 'model')", "pass one input as queries have it"),
        ("save_model(lm(dist ~ speed, cars), 1, 'model')", "name the model's columns"),
        ("save_model(function(x) x, c('a', 'b'), 'model')", "an input is one string"),
    ],
)
def test_what_cannot_be_served_is_not_saved(r: R, tmp_path: Path, call: str, reason: str) -> None:
    done = r.run(call, tmp_path)
    assert done.returncode != 0
    assert reason in done.stderr
    assert not (tmp_path / "model").exists()
