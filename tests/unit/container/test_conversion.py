"""The inputs that a model's function receives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clipper_container.conversion import InputError, convert_inputs
from clipper_container.input_types import InputType

NUMBERS = [
    (InputType.BYTES, np.int8),
    (InputType.INTEGERS, np.int32),
    (InputType.FLOATS, np.float32),
    (InputType.DOUBLES, np.float64),
]


@pytest.mark.parametrize(("input_type", "dtype"), NUMBERS)
def test_inputs_of_one_length_are_a_writable_matrix(input_type: InputType, dtype: type) -> None:
    rows: NDArray[Any] = np.arange(6, dtype=dtype).reshape(2, 3)
    matrix = convert_inputs([row.tobytes() for row in rows], input_type)
    assert isinstance(matrix, np.ndarray)
    assert matrix.dtype == dtype
    assert matrix.flags.writeable
    assert matrix.flags.c_contiguous
    assert np.array_equal(matrix, rows)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(NUMBERS), st.lists(st.integers(0, 5), min_size=2).filter(lambda n: len(set(n)) > 1))
def test_inputs_of_different_lengths_are_an_object_array_of_writable_arrays(
    kind: tuple[InputType, type], lengths: list[int]
) -> None:
    input_type, dtype = kind
    arrays: list[NDArray[Any]] = [np.arange(length, dtype=dtype) for length in lengths]
    converted = convert_inputs([array.tobytes() for array in arrays], input_type)
    assert isinstance(converted, np.ndarray)
    assert (converted.dtype.kind, converted.shape) == ("O", (len(arrays),))
    for got, sent in zip(converted, arrays, strict=True):
        assert isinstance(got, np.ndarray)
        assert got.dtype == dtype
        assert got.flags.writeable
        assert np.array_equal(got, sent)


def test_empty_inputs_are_a_matrix_without_columns() -> None:
    matrix = convert_inputs([b"", b""], InputType.DOUBLES)
    assert isinstance(matrix, np.ndarray)
    assert matrix.shape == (2, 0)


def test_bytes_of_one_length_are_a_matrix_of_int8() -> None:
    converted = convert_inputs([b"\x01\xff", b"ab"], InputType.BYTES)
    assert converted.dtype == np.int8
    assert converted.tolist() == [[1, -1], [97, 98]]
    assert [row.tobytes() for row in converted] == [b"\x01\xff", b"ab"]


def test_bytes_of_different_lengths_are_an_object_array() -> None:
    converted = convert_inputs([b"\x01\xff", b"", b"abc"], InputType.BYTES)
    assert (converted.dtype.kind, converted.shape) == ("O", (3,))
    assert [row.tobytes() for row in converted] == [b"\x01\xff", b"", b"abc"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_strings_are_an_object_array_of_str(texts: list[str]) -> None:
    converted = convert_inputs([text.encode() for text in texts], InputType.STRINGS)
    assert (converted.dtype.kind, converted.shape) == ("O", (len(texts),))
    assert all(type(text) is str for text in converted)
    assert converted.tolist() == texts


def test_writing_to_what_was_converted_leaves_the_message_alone() -> None:
    raw = np.ones(3).tobytes()
    matrix = convert_inputs([raw, raw], InputType.DOUBLES)
    assert isinstance(matrix, np.ndarray)
    matrix[0] = 7
    assert raw == np.ones(3).tobytes()
    assert list(matrix[1]) == [1, 1, 1]


@pytest.mark.parametrize("inputs", [[b"1234567"], [b"12345678", b"1234"]])
def test_no_whole_number_of_elements_is_refused(inputs: list[bytes]) -> None:
    with pytest.raises(InputError, match="no whole number of doubles of 8 bytes each"):
        convert_inputs(inputs, InputType.DOUBLES)


def test_bad_utf8_is_refused() -> None:
    with pytest.raises(InputError, match="not valid UTF-8"):
        convert_inputs([b"\xff"], InputType.STRINGS)
