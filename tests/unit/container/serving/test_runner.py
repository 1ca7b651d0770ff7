"""The running of a batch: failures stay with the inputs that cause them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipper_container.input_types import InputType
from clipper_container.model import Inputs, Model, Outputs
from clipper_container.serving.runner import Runner, describe
from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_OK, STATUS_TOO_LATE

FOREVER = float("inf")


class FunctionModel(Model):
    def __init__(self, function: Callable[[Inputs], Outputs]) -> None:
        self.calls: list[int] = []
        self._function = function

    @classmethod
    def load(cls, directory: Path, manifest: Mapping[str, Any]) -> FunctionModel:
        raise AssertionError(directory, manifest)

    def predict(self, inputs: Inputs) -> Outputs:
        self.calls.append(len(inputs))
        return self._function(inputs)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def runner_of(
    function: Callable[[Inputs], Outputs], clock: Clock | None = None
) -> tuple[Runner, FunctionModel]:
    model = FunctionModel(function)
    return Runner(model, InputType.DOUBLES, clock or Clock()), model


def rows(*values: float) -> list[bytes]:
    return [np.array([value], dtype=np.float64).tobytes() for value in values]


def refuse_negative(inputs: Inputs) -> Outputs:
    if any(np.any(np.asarray(row, dtype=float) < 0) for row in inputs):
        raise ValueError("negative")
    return [str(row[0]) for row in inputs]


def test_a_good_batch_is_one_call() -> None:
    runner, model = runner_of(lambda inputs: [str(row[0]) for row in inputs])
    result = runner.run(rows(1, 2, 3), FOREVER)
    assert result.outputs == [b"1.0", b"2.0", b"3.0"]
    assert result.statuses == bytes([STATUS_OK] * 3)
    assert model.calls == [3]


def test_an_input_on_which_the_model_raises_fails_alone() -> None:
    runner, model = runner_of(refuse_negative)
    result = runner.run(rows(1, -2, 3), FOREVER)
    assert result.outputs == [b"1.0", b"ValueError: negative", b"3.0"]
    assert result.statuses == bytes([STATUS_OK, STATUS_MODEL_ERROR, STATUS_OK])
    assert model.calls == [3, 1, 1, 1]


def test_a_batch_of_one_is_not_run_again() -> None:
    runner, model = runner_of(refuse_negative)
    assert runner.run(rows(-1), FOREVER).statuses == bytes([STATUS_MODEL_ERROR])
    assert model.calls == [1]


def test_exiting_is_a_model_error() -> None:
    runner, _ = runner_of(lambda _: exit(3))
    assert runner.run(rows(1), FOREVER).outputs == [b"SystemExit: 3"]


def test_an_input_of_a_wrong_size_fails_alone() -> None:
    runner, _ = runner_of(refuse_negative)
    result = runner.run([*rows(1), b"123", *rows(2)], FOREVER)
    assert result.statuses == bytes([STATUS_OK, STATUS_MODEL_ERROR, STATUS_OK])
    assert b"3 bytes" in result.outputs[1]


def test_an_output_that_cannot_be_sent_fails_alone_without_a_second_run() -> None:
    runner, model = runner_of(lambda _: [1.0, b"raw"])
    result = runner.run(rows(1, 2), FOREVER)
    assert result.statuses == bytes([STATUS_OK, STATUS_MODEL_ERROR])
    assert b"base64" in result.outputs[1]
    assert model.calls == [2]


def test_numbers_that_became_null_are_counted_for_each_batch() -> None:
    runner, _ = runner_of(lambda inputs: np.where(inputs[:, 0] > 1, np.nan, inputs[:, 0]))
    assert runner.run(rows(1, 2, 3), FOREVER) == ([b"1.0", b"null", b"null"], bytes(3), 2)
    assert runner.run(rows(1, 2), FOREVER).non_finite == 1
    assert runner.run(rows(1), FOREVER).non_finite == 0


def test_numbers_that_became_null_are_counted_in_inputs_that_are_run_singly() -> None:
    def alone(inputs: Inputs) -> Outputs:
        if len(inputs) > 1:
            raise ValueError
        return [float("inf")]

    runner, _ = runner_of(alone)
    assert runner.run(rows(1, 2), FOREVER).non_finite == 2


def test_a_wrong_number_of_outputs_is_an_error_of_each_input() -> None:
    runner, _ = runner_of(lambda inputs: ["x"] * (len(inputs) + 1))
    result = runner.run(rows(1, 2), FOREVER)
    assert result.statuses == bytes([STATUS_MODEL_ERROR] * 2)
    assert b"the model returned 2 outputs for 1 input: it must return one per input" in result.outputs[0]


def test_a_model_that_only_takes_single_inputs_works_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner, _ = runner_of(lambda _: ["x"])
    for _ in range(3):
        assert runner.run(rows(1, 2), FOREVER).outputs == [b"x", b"x"]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "1 output for 2 inputs" in warnings[0].message


def test_a_batch_whose_time_has_passed_is_not_run() -> None:
    clock = Clock()
    runner, model = runner_of(refuse_negative, clock)
    clock.now = 5.0
    result = runner.run(rows(1, 2), 4.0)
    assert result.statuses == bytes([STATUS_TOO_LATE] * 2)
    assert result.outputs == [b"", b""]
    assert model.calls == []


def test_running_again_one_by_one_ends_with_the_time_left() -> None:
    clock = Clock()

    def slow(inputs: Inputs) -> Outputs:
        clock.now += 1.0
        return refuse_negative(inputs)

    runner, _ = runner_of(slow, clock)
    result = runner.run(rows(1, -2, 3, 4), 2.5)
    assert result.statuses == bytes([STATUS_OK, STATUS_MODEL_ERROR, STATUS_TOO_LATE, STATUS_TOO_LATE])


def test_an_empty_batch_has_no_outputs() -> None:
    runner, model = runner_of(refuse_negative)
    assert runner.run([], FOREVER) == ([], b"", 0)
    assert model.calls == []


def test_predicting_since_is_set_while_the_function_runs_and_restarts_with_each_call() -> None:
    clock = Clock()
    seen: list[float | None] = []

    def note(inputs: Inputs) -> Outputs:
        seen.append(runner.predicting_since)
        clock.now += 1.0
        return refuse_negative(inputs)

    runner, _ = runner_of(note, clock)
    runner.run(rows(1, -2), FOREVER)
    assert seen == [0.0, 1.0, 2.0]
    assert runner.predicting_since is None


def test_tracebacks_are_logged_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    runner, _ = runner_of(refuse_negative, clock)
    runner.run(rows(-1, -2, -3), FOREVER)
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is not None
    clock.now = 1.5
    runner.run(rows(-1), FOREVER)
    assert "2 other failures were not logged" in caplog.records[1].message


def test_error_texts_are_bounded_and_always_there() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert len(describe(ValueError("x" * 5000))) == 1000
    assert describe(MuteError()) == "MuteError"


def test_an_error_text_with_a_lone_surrogate_can_be_sent() -> None:
    def surrogate(_: Inputs) -> Outputs:
        raise ValueError("\ud800")

    runner, _ = runner_of(surrogate)
    assert runner.run(rows(1), FOREVER).outputs == [b"ValueError: ?"]
