"""The conversion of a batch's raw bytes to the inputs of a model.

Inputs of one length become one matrix, others an object array of arrays, strings an object array of str, as
in Clipper's runtime. Arrays are writable and independent of the message that they came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipper_container.input_types import InputType
from clipper_container.model import Inputs

_DTYPES: dict[InputType, np.dtype[Any]] = {
    InputType.BYTES: np.dtype("<i1"),
    InputType.INTEGERS: np.dtype("<i4"),
    InputType.FLOATS: np.dtype("<f4"),
    InputType.DOUBLES: np.dtype("<f8"),
}


class InputError(ValueError):
    """The bytes are not an input of the model's type."""


def convert_inputs(inputs: Sequence[bytes], input_type: InputType) -> Inputs:
    """Return these inputs as a model of `input_type` receives them.

    Numbers and bytes (int8): a C-contiguous matrix (n, d) if all inputs have the same length (d may be 0),
    else an object array (n,) of one-dimensional arrays. Strings: an object array (n,) of str. Raises
    InputError if an input is not valid UTF-8 or not a whole number of elements.
    """
    if input_type is InputType.STRINGS:
        return _decode_strings(inputs)
    dtype = _DTYPES[input_type]
    # One copy for the whole batch; it is a bytearray, so that the arrays over it are writable.
    data = bytearray().join(inputs)
    sizes = set(map(len, inputs))
    if len(sizes) == 1:
        (size,) = sizes
        if size % dtype.itemsize:
            raise _size_error(size, input_type)
        matrix: NDArray[Any] = np.frombuffer(data, dtype)
        return matrix.reshape(len(inputs), size // dtype.itemsize)
    return _split_arrays(data, inputs, input_type)


def _decode_strings(inputs: Sequence[bytes]) -> NDArray[Any]:
    try:
        return _object_array([raw.decode() for raw in inputs])
    except UnicodeDecodeError as exc:
        raise InputError(f"the input is not valid UTF-8: {exc}") from exc


def _split_arrays(data: bytearray, inputs: Sequence[bytes], input_type: InputType) -> NDArray[Any]:
    item_bytes = input_type.item_bytes
    for raw in inputs:
        if len(raw) % item_bytes:
            raise _size_error(len(raw), input_type)
    whole = np.frombuffer(data, _DTYPES[input_type])
    ends = accumulate(len(raw) // item_bytes for raw in inputs)
    return _object_array([whole[end - len(raw) // item_bytes : end] for raw, end in zip(inputs, ends)])


def _object_array(values: Sequence[object]) -> NDArray[Any]:
    """Return an array (n,) that holds the values themselves, whatever their lengths."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _size_error(size: int, input_type: InputType) -> InputError:
    return InputError(
        f"the input has {size} bytes, which is no whole number of {input_type.value}"
        f" of {input_type.item_bytes} bytes each"
    )
