"""The frames between a replica and its R process, over two pipes: 32-bit little-endian numbers, then data.

request    input type's code, n, n lengths (elements; of strings bytes), data of all inputs in a row
answer     form, n, then by form
  0        numbers: n doubles
  1        vectors: n lengths, doubles in a row
  2        texts: n lengths in bytes, UTF-8 in a row; R's first answer is its version as a text
  3        failure: n bytes of R's message in UTF-8
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, Callable, Union

import numpy as np
from numpy.typing import NDArray

from clipper_container.input_types import InputType
from clipper_container.model import Inputs, Outputs

_NUMBERS, _VECTORS, _TEXTS, _FAILURE = range(4)
_U4 = np.dtype("<u4")
_F8 = np.dtype("<f8")
_TYPES = {
    "int8": InputType.BYTES,
    "int32": InputType.INTEGERS,
    "float32": InputType.FLOATS,
    "float64": InputType.DOUBLES,
}
Read = Callable[[int], Union[bytes, bytearray]]


class RError(Exception):
    """An error of R's; the text is R's own message."""


def pack_request(inputs: Inputs) -> bytes:
    """Return the request for a batch. Raises ValueError for a text that R cannot hold."""
    if inputs.dtype != object:
        count, length = inputs.shape
        return _pack(inputs.dtype, np.full(count, length), np.ascontiguousarray(inputs).tobytes())
    if isinstance(inputs[0], str):
        texts = [_encode(text) for text in inputs]
        return _head(InputType.STRINGS, [len(text) for text in texts]) + b"".join(texts)
    return _pack(inputs[0].dtype, [len(each) for each in inputs], np.concatenate(list(inputs)).tobytes())


def read_answer(read: Read) -> Outputs:
    """Return the outputs of an answer; `read` returns as many bytes as it is asked for. Raises RError."""
    form, count = np.frombuffer(read(2 * _U4.itemsize), _U4).tolist()
    if form == _FAILURE:
        raise RError(read(count).decode(errors="replace"))
    if form == _NUMBERS:
        return np.frombuffer(read(count * _F8.itemsize), _F8)
    lengths = np.frombuffer(read(count * _U4.itemsize), _U4).tolist()
    whole: Any
    if form == _VECTORS:
        whole = np.frombuffer(read(sum(lengths) * _F8.itemsize), _F8)
        return [whole[end - length : end] for length, end in zip(lengths, accumulate(lengths))]
    whole = read(sum(lengths))
    return [whole[end - length : end].decode() for length, end in zip(lengths, accumulate(lengths))]


def _pack(dtype: np.dtype[Any], lengths: Union[list[int], NDArray[Any]], data: bytes) -> bytes:
    return _head(_TYPES[dtype.name], lengths) + data


def _head(input_type: InputType, lengths: Union[list[int], NDArray[Any]]) -> bytes:
    return np.array([input_type.code, len(lengths), *lengths], _U4).tobytes()


def _encode(text: str) -> bytes:
    if "\0" in text:
        raise ValueError("the input holds a NUL character, which a string of R's cannot: remove it")
    return text.encode()
