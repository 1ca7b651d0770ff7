"""The values that a model may return, and the bytes that are sent for them."""

from __future__ import annotations

import json
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_container.outputs import OutputCountError, OutputError, encode_outputs

finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text('ab é"\\\n', max_size=5)
scalars = st.none() | st.booleans() | st.integers() | finite
jsonable = scalars | st.lists(scalars | text, max_size=3) | st.dictionaries(text, scalars, max_size=3)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_str_is_sent_as_it_is(outputs: list[str]) -> None:
    assert encode_outputs(outputs, len(outputs)) == [output.encode() for output in outputs]


@settings(max_examples=25, deadline=None)
@given(st.lists(jsonable, max_size=5))
def test_anything_else_is_json(outputs: list[object]) -> None:
    encoded = encode_outputs(outputs, len(outputs))
    assert [json.loads(output) for output in encoded if isinstance(output, bytes)] == outputs


@settings(max_examples=25, deadline=None)
@given(st.lists(finite, min_size=1), st.sampled_from(["f8", "f4", "i4", "u1", "i8"]))
def test_an_array_of_numbers_is_one_json_number_each(values: list[float], dtype: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.clip(np.array(values), -100, 100).astype(dtype)
    encoded = encode_outputs(array, len(values))
    assert [json.loads(output) for output in encoded if isinstance(output, bytes)] == array.tolist()


@pytest.mark.parametrize(
    ("returned", "sent"),
    [
        ([np.float64(0.5), np.int64(3), np.float32(0.25)], [b"0.5", b"3", b"0.25"]),
        ([np.arange(3), (1, 2)], [b"[0, 1, 2]", b"[1, 2]"]),
        ([{"a": np.int32(1), "b": np.array([True])}], [b'{"a": 1, "b": [true]}']),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), [b"[1.0, 2.0]", b"[3.0, 4.0]"]),
        (np.array([True, False]), [b"true", b"false"]),
        (np.array(["a", "b"]), [b"a", b"b"]),
        (np.array([1, "x", None], dtype=object), [b"1", b"x", b"null"]),
        (("x", None, True), [b"x", b"null", b"true"]),
        (np.zeros((0, 3)), []),
    ],
)
def test_numpy_and_mixed_outputs(returned: object, sent: list[bytes]) -> None:
    assert encode_outputs(returned, len(sent)) == sent


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinity_fail_alone_and_say_so(bad: float) -> None:
    for returned in (np.array([1.0, bad]), [1.0, bad], [1.0, np.float32(bad)], [1.0, {"deep": [bad]}]):
        good, failed = encode_outputs(returned, 2)
        assert good == b"1.0"
        assert isinstance(failed, OutputError)
        assert "NaN or infinity" in str(failed)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (b"raw", "base64"),
        ([b"raw"], "base64"),
        (object(), "holds a object"),
        ({1j: 1}, "keys must be"),
        ("\ud800", "surrogate"),
        ({"a": "\ud800"}, "surrogate"),
    ],
)
def test_what_cannot_be_sent_says_why(output: object, message: str) -> None:
    (failed,) = encode_outputs([output], 1)
    assert isinstance(failed, OutputError)
    assert message in str(failed)


def test_an_endless_output_fails_alone() -> None:
    endless: list[object] = []
    endless.append(endless)
    good, failed = encode_outputs(["x", endless], 2)
    assert good == b"x"
    assert isinstance(failed, OutputError)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (["a"], "returned 1 output for 2 inputs: it must return one per input"),
        (["a", "b", "c"], "returned 3 outputs for 2 inputs"),
        (np.zeros(3), "returned 3 outputs for 2 inputs"),
        (np.zeros((1, 2)), "returned 1 output for 2 inputs"),
        (None, "returned None for 2 inputs: it must return a list"),
        ("ab", "returned one str for 2 inputs"),
        ({"a": 1, "b": 2}, "returned one dict"),
        (np.float64(1), "returned one float64"),
        (np.array(1.0), "returned one ndarray"),
        (deque("ab"), "returned one deque"),
    ],
)
def test_a_wrong_number_of_outputs_names_both(returned: object, message: str) -> None:
    with pytest.raises(OutputCountError, match=message):
        encode_outputs(returned, 2)
