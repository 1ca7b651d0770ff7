"""The running of one batch on a model: convert, predict, encode, and keep failures apart.

An input on which the model raises fails alone: the inputs of a failed batch are run again one by one. There
is no I/O but logging, and the clock is an argument.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional, Union

from clipper_container.conversion import convert_inputs
from clipper_container.input_types import InputType
from clipper_container.model import Model
from clipper_container.outputs import Encoded, OutputCountError, OutputEncoder, OutputError
from clipper_container.process.shared import Shared
from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_OK, STATUS_TOO_LATE

_LOG = logging.getLogger("clipper.container")
_MAX_ERROR_CHARS = 1000
_TRACEBACK_INTERVAL_S = 1.0


class BatchResult(NamedTuple):
    """The outputs of a batch in input order, one status byte for each, and how many values became null."""

    outputs: list[bytes]
    statuses: bytes
    non_finite: int = 0


class Runner:
    """Runs batches on one model, one at a time."""

    def __init__(
        self, model: Model, input_type: InputType, clock: Callable[[], float], shared: Optional[Shared] = None
    ) -> None:
        self._model = model
        self._input_type = input_type
        self._encoder = OutputEncoder()
        self._clock = clock
        self._shared = shared or Shared()
        self._log = _FailureLog(clock)
        self._warned_of_count = False

    @property
    def predicting_since(self) -> Optional[float]:
        """Return the start of the model's current run, by the clock; None while it does not run."""
        return self._shared.running_since

    def run(self, inputs: Sequence[bytes], deadline: float) -> BatchResult:
        """Return an output or an error text per input; inputs reached after `deadline` are not run."""
        if self._clock() > deadline:
            return too_late(len(inputs))
        if not inputs:
            return BatchResult([], b"")
        counted = self._encoder.non_finite
        try:
            encoded = self._predict(inputs)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - the model's code may raise anything
            if len(inputs) == 1:
                return self._failed(exc)
            return self._run_singly(inputs, deadline, exc)
        return self._result(encoded, self._encoder.non_finite - counted)

    def _predict(self, inputs: Sequence[bytes]) -> list[Encoded]:
        converted = convert_inputs(inputs, self._input_type)
        self._shared.starts(self._clock())
        try:
            returned = self._model.predict(converted)
            # Within the time that is watched, since it runs the outputs' own code, such as __str__().
            return self._encoder.encode(returned, len(inputs))
        finally:
            self._shared.stops()

    def _result(self, encoded: list[Encoded], non_finite: int) -> BatchResult:
        statuses = bytes(len(encoded))
        if any(isinstance(output, OutputError) for output in encoded):
            statuses = bytes(STATUS_MODEL_ERROR if isinstance(o, OutputError) else STATUS_OK for o in encoded)
        outputs = [self._text_of(o) if isinstance(o, OutputError) else o for o in encoded]
        return BatchResult(outputs, statuses, non_finite)

    def _text_of(self, exc: BaseException) -> bytes:
        self._log.failure(exc)
        return describe(exc).encode(errors="replace")

    def _failed(self, exc: BaseException) -> BatchResult:
        return BatchResult([self._text_of(exc)], bytes([STATUS_MODEL_ERROR]))

    def _run_singly(
        self, inputs: Sequence[bytes], deadline: float, batch_error: Union[Exception, SystemExit]
    ) -> BatchResult:
        singles = [self.run([raw], deadline) for raw in inputs]
        result = BatchResult(
            [single.outputs[0] for single in singles],
            b"".join(single.statuses for single in singles),
            sum(single.non_finite for single in singles),
        )
        if STATUS_MODEL_ERROR not in result.statuses:
            self._explain_batch_error(batch_error)
        return result

    def _explain_batch_error(self, exc: BaseException) -> None:
        """Log that the model fails on batches only: each of them then costs a second run, input by input."""
        if isinstance(exc, OutputCountError):
            if not self._warned_of_count:
                self._warned_of_count = True
                _LOG.warning("%s; its inputs are run again one by one, which is slow", exc)
        else:
            self._log.failure(exc)


def too_late(count: int) -> BatchResult:
    """Return the result of a batch whose deadline passed before it was run."""
    return BatchResult([b""] * count, bytes([STATUS_TOO_LATE]) * count)


def describe(exc: BaseException) -> str:
    """Return `TypeName: message` of an exception, of bounded length."""
    try:
        text = f"{type(exc).__name__}: {exc}"
    except Exception:  # noqa: BLE001 - the model's exception may not even have a text
        text = type(exc).__name__
    return text if len(text) <= _MAX_ERROR_CHARS else text[: _MAX_ERROR_CHARS - 1] + "…"


class _FailureLog:
    """Logs failures with their traceback, at most one per second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next_at = float("-inf")
        self._unlogged = 0

    def failure(self, exc: BaseException) -> None:
        now = self._clock()
        if now < self._next_at:
            self._unlogged += 1
            return
        others = f" ({self._unlogged} other failures were not logged)" if self._unlogged else ""
        self._next_at, self._unlogged = now + _TRACEBACK_INTERVAL_S, 0
        has_traceback = exc.__traceback__ is not None and not isinstance(exc, OutputCountError)
        _LOG.error("the model failed: %s%s", describe(exc), others, exc_info=exc if has_traceback else None)
