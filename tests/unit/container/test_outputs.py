"""The values that a model may return, and the bytes that are sent for them."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import re
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_container.outputs import OutputCountError, OutputEncoder, OutputError, encode_outputs

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


@dataclasses.dataclass
class Point:
    x: float
    label: str | None = None


class Colour(enum.Enum):
    RED = 1


class Named:
    def __repr__(self) -> str:
        return "named"


class Modelled:
    """A stand-in for a pydantic model."""

    def model_dump(self) -> dict[str, object]:
        return {"at": datetime.date(2024, 1, 2), "of": Point(1.0)}


class OldModelled:
    """A stand-in for a model of pydantic 1."""

    __fields_set__ = frozenset({"x"})

    def dict(self) -> dict[str, object]:
        return {"x": np.int8(1)}


class Frame:
    """A stand-in for a pandas DataFrame."""

    columns = ("a", 1)

    def to_dict(self, *, orient: str) -> object:
        assert orient == "records"
        return [{"a": float("nan"), 1: "x"}, {"a": 2.5, 1: None}]


class Tensor:
    """A stand-in for a TensorFlow tensor."""

    def __init__(self, values: object) -> None:
        self._values = np.asarray(values)

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray[Any, Any]:
        return self._values


class NAType:
    """A stand-in for pandas' NA."""


MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 0, 500, datetime.UTC)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (decimal.Decimal("1.10"), "1.10"),
        (MOMENT, "2024-02-29T12:30:00.000500+00:00"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.time(1, 2), "01:02:00"),
        (datetime.timedelta(days=1, hours=2, seconds=3.5), "P1DT2H0M3.5S"),
        (datetime.timedelta(minutes=-90), "-P0DT1H30M0S"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/a/b"), "/a/b"),
        (Colour.RED, "Colour.RED"),
        (1 + 2j, "(1+2j)"),
        (np.complex64(2j), "2j"),
        (Named(), "named"),
        (np.datetime64("2024-02-29"), "2024-02-29"),
        (np.datetime64("2024-02-29T12:30", "ns"), "2024-02-29T12:30:00"),
        (np.datetime64("2024-02-29T12:30:00.000000001"), "2024-02-29T12:30:00.000000001"),
        (np.datetime64("12024-01-01T00", "s"), "12024-01-01T00:00:00"),
        (np.timedelta64(90, "m"), "P0DT1H30M0S"),
        (np.timedelta64(1, "Y"), "P1Y"),
    ],
)
def test_an_object_that_json_cannot_hold_is_sent_as_its_text(output: object, text: str) -> None:
    sent, nested = encode_outputs([output, {"deep": [output]}], 2)
    assert sent == text.encode()
    assert isinstance(nested, bytes)
    assert json.loads(nested) == {"deep": [text]}


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (Point(1.5, "a"), {"x": 1.5, "label": "a"}),
        ([Point(float("nan"))], [{"x": None, "label": None}]),
        (Modelled(), {"at": "2024-01-02", "of": {"x": 1.0, "label": None}}),
        (OldModelled(), {"x": 1}),
        (MappingProxyType({"a": Point(1.0)}), {"a": {"x": 1.0, "label": None}}),
        (Frame(), [{"a": None, "1": "x"}, {"a": 2.5, "1": None}]),
        (Tensor([1, 2]), [1, 2]),
        (Tensor(3.5), 3.5),
        (range(3), [0, 1, 2]),
        ({"one"}, ["one"]),
        (deque([1]), [1]),
        (np.array(["2024-01-01T00", "NaT"], "M8[ns]"), ["2024-01-01T00:00:00", None]),
        (np.array((1, "2024-01-01"), [("a", "i4"), ("b", "M8[ns]")]), [1, "2024-01-01T00:00:00"]),
        (np.ma.masked_equal([1, 2], 2), [1, None]),
        ([np.ma.masked, NAType()], [None, None]),
        (np.longdouble(0.5), 0.5),
    ],
)
def test_objects_with_parts_are_sent_by_their_parts(output: object, value: object) -> None:
    for returned in ([output], [[output]]):
        (sent,) = encode_outputs(returned, 1)
        assert isinstance(sent, bytes)
        assert json.loads(sent) in (value, [value])


def test_a_table_holds_an_output_in_each_record() -> None:
    assert encode_outputs(Frame(), 2) == [b'{"a": null, "1": "x"}', b'{"a": 2.5, "1": null}']
    assert encode_outputs(Tensor([0.5, 1.5]), 2) == [b"0.5", b"1.5"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (np.int64(3), "3"),
        (np.float32(0.5), "0.5"),
        (np.bool_(True), "true"),
        (np.datetime64("2024-01-01", "ns"), "2024-01-01T00:00:00"),
        ((1, "a"), "(1, 'a')"),
        (Colour.RED, "Colour.RED"),
        (MOMENT.date(), "2024-02-29"),
        (1j, "1j"),
        (float("nan"), "nan"),
    ],
)
def test_keys_of_a_dict_are_sent_as_text(key: object, text: str) -> None:
    (sent,) = encode_outputs([{key: 1, None: 2, 4: 5, "six": 7}], 1)
    assert isinstance(sent, bytes)
    assert json.loads(sent) == {text: 1, "null": 2, "4": 5, "six": 7}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda bad: np.array([1.0, bad]),
        lambda bad: [1.0, bad],
        lambda bad: [1.0, np.float32(bad)],
        lambda bad: [1.0, decimal.Decimal(bad)],
        lambda bad: np.array([1.0, bad], dtype=object),
        lambda bad: [1.0, np.longdouble(bad)],
    ],
)
def test_nan_and_infinity_are_null_and_counted(bad: float, wrap: Callable[[float], object]) -> None:
    encoder = OutputEncoder()
    assert encoder.encode(wrap(bad), 2) == [b"1.0", b"null"]
    assert encoder.non_finite == 1


def test_nan_inside_an_output_leaves_its_neighbours() -> None:
    encoder = OutputEncoder()
    output = {"scores": np.array([[0.5, np.nan]]), "more": (float("inf"), {"deep": [Point(float("nan"))]})}
    (sent,) = encoder.encode([output], 1)
    assert isinstance(sent, bytes)
    assert json.loads(sent) == {
        "scores": [[0.5, None]],
        "more": [None, {"deep": [{"x": None, "label": None}]}],
    }
    assert encoder.non_finite == 3


def test_masked_values_are_null_and_not_counted() -> None:
    encoder = OutputEncoder()
    assert encoder.encode(np.ma.masked_equal([1.0, 2.0], 2.0), 2) == [b"1.0", b"null"]
    assert encoder.encode([np.ma.masked, np.datetime64("NaT")], 2) == [b"null", b"null"]
    assert encoder.non_finite == 0


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (b"raw", "base64"),
        ([b"raw"], "base64"),
        (np.bytes_(b"raw"), "base64"),
        ({b"raw": 1}, "base64"),
        (object(), "holds a object, which JSON cannot hold and which has no text of its own"),
        ([iter("ab")], "holds a str_.*iterator"),
        ("\ud800", "surrogate"),
        ({"a": "\ud800"}, "surrogate"),
    ],
)
def test_what_cannot_be_sent_says_why(output: object, message: str) -> None:
    (failed,) = encode_outputs([output], 1)
    assert isinstance(failed, OutputError)
    assert re.search(message, str(failed))


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
