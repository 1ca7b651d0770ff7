"""Losses: the error of an output, from 0 to 1."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_frontend.errors import UnfitLabel
from clipper_frontend.selection.losses import Loss, LossKind

_ZERO_ONE = Loss(LossKind.ZERO_ONE)
_SQUARED = Loss(LossKind.SQUARED, 0.0, 10.0)
_ABSOLUTE = Loss(LossKind.ABSOLUTE, -1.0, 1.0)
_LOG = Loss(LossKind.LOG)


@pytest.mark.parametrize(
    ("loss", "output", "label", "expected"),
    [
        (_ZERO_ONE, b'"cat"', "cat", 0.0),
        (_ZERO_ONE, b'"cat"', "dog", 1.0),
        (_ZERO_ONE, b"1.0", 1, 0.0),
        (_ZERO_ONE, b'"1"', 1, 1.0),
        (_ZERO_ONE, b"true", True, 0.0),
        (_ZERO_ONE, b"true", 1, 1.0),
        (_ZERO_ONE, b"null", None, 0.0),
        (_ZERO_ONE, b'{"b": [1], "a": 2}', {"a": 2, "b": [1]}, 0.0),
        (_ZERO_ONE, b"[" * 5000, "cat", 1.0),
        (_SQUARED, b"5", 5, 0.0),
        (_SQUARED, b"5", 10, 0.25),
        (_SQUARED, b"-7", 0, 0.0),
        (_SQUARED, b"-7", 10, 1.0),
        (_SQUARED, b"0", 1e300, 1.0),
        (_SQUARED, b'"cat"', 5, 1.0),
        (_SQUARED, b"1e999", 5, 1.0),
        (_ABSOLUTE, b"0", 1, 0.5),
        (_ABSOLUTE, b"-1", 1, 1.0),
        (_LOG, b"1", 1, -math.log(0.999) / math.log(1000)),
        (_LOG, b"0", 1, 1.0),
        (_LOG, b"1", 0, 1.0),
        (_LOG, b"0.5", 1, math.log(2) / math.log(1000)),
        (_LOG, b"0.5", 0.3, math.log(2) / math.log(1000)),
        (_LOG, b"1.5", 1, 1.0),
        (_LOG, b'"cat"', 1, 1.0),
    ],
)
def test_measures(loss: Loss, output: bytes, label: Any, expected: float) -> None:
    assert loss.measure(label)(output) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("loss", [_SQUARED, _ABSOLUTE, _LOG])
@pytest.mark.parametrize("label", ["cat", None, True, [1], 10**400])
def test_numbers_are_measured_by_numbers(loss: Loss, label: Any) -> None:
    with pytest.raises(UnfitLabel, match=f"the loss {loss.kind.value} measures numbers"):
        loss.measure(label)


def test_a_log_loss_takes_what_happened() -> None:
    with pytest.raises(UnfitLabel, match=r"a label from 0 to 1 \(what happened\), not 2"):
        _LOG.measure(2)


@given(
    st.sampled_from(LossKind),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_every_loss_is_from_0_to_1(kind: LossKind, output: float, label: float) -> None:
    label = min(abs(label), 1.0) if kind is LossKind.LOG else label
    assert 0.0 <= Loss(kind, -3.0, 1e5).measure(label)(json.dumps(output).encode()) <= 1.0
