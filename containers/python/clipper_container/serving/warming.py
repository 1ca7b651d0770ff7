"""The first answers of a model, before its replica is ready: libraries load and compile at the first call.

A sample input must be answered, since a deployment that names one asks for that. Zeros of the length that the
model itself declares are a guess: if they fail, that is a warning.
"""

from __future__ import annotations

import logging
import math
import time
from typing import Optional

from clipper_container.input_types import InputType
from clipper_container.model import Model
from clipper_container.serving.runner import Runner
from clipper_container.settings import Settings
from clipper_container.wire import STATUS_OK

_LOG = logging.getLogger("clipper.container")
#: Longer inputs are no vectors of numbers that zeros could stand for.
_MAX_LENGTH = 16 * 1024 * 1024


def warm_up(runner: Runner, model: Model, settings: Settings) -> bool:
    """Let the model answer what is known before a query; return False if it fails on the sample input."""
    sample = settings.sample_input
    if sample is not None:
        failure = _answer(runner, model, sample, "the sample input")
        if failure is not None:
            _LOG.error("the model failed on the sample input: %s", failure)
        return failure is None
    zeros = _zeros(model.input_length, settings.input_type)
    if zeros is not None:
        failure = _answer(runner, model, zeros, "zeros, which warm it up")
        if failure is not None:
            _LOG.warning("the model failed on zeros, which were to warm it up: %s", failure)
    return True


def _answer(runner: Runner, model: Model, raw: bytes, what: str) -> Optional[str]:
    """Let the model answer batches of one input; return what it says if it fails."""
    started_at = time.monotonic()
    for size in model.warm_up_sizes:
        result = runner.run([raw] * size, math.inf)
        if result.statuses != bytes([STATUS_OK]) * size:
            return result.outputs[0].decode(errors="replace")
    _LOG.info("the model answered %s in %.3f s", what, time.monotonic() - started_at)
    return None


def _zeros(length: Optional[int], input_type: InputType) -> Optional[bytes]:
    if length is None or length > _MAX_LENGTH or input_type is InputType.STRINGS:
        return None
    return bytes(length * input_type.item_bytes)
