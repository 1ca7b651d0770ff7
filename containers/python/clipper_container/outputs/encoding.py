"""The encoding of outputs: a str as it is, anything else as JSON, NaN and infinity as null.

Whatever cannot be sent becomes an error in its place.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Union

import numpy as np

from clipper_container.outputs.values import OutputError, array_content, key_text, stand_in

#: The repr of a finite number of these kinds is JSON, up to 64 bits; NumPy's wider types have another repr.
_PLAIN_KINDS = "fiu"
_MAX_PLAIN_BYTES = 8
_NULL = b"null"
_NON_FINITE = (b"nan", b"inf", b"-inf")
_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False, default=stand_in)


class OutputCountError(ValueError):
    """The model did not return one output per input."""


Encoded = Union[bytes, OutputError]


def encode_outputs(returned: object, count: int) -> list[Encoded]:
    """Return what OutputEncoder.encode() returns, for once."""
    return OutputEncoder().encode(returned, count)


class OutputEncoder:
    """Encodes the outputs of one model, and counts the values that JSON has no number for."""

    def __init__(self) -> None:
        #: How many values were NaN or infinite and became null so far.
        self.non_finite = 0

    def encode(self, returned: object, count: int) -> list[Encoded]:
        """Return the bytes of each of the `count` outputs, or an error in place of one that cannot be sent.

        `returned` may be a list, a tuple, an array whose first dimension is `count`, an object that is like
        an array (a tensor, a Series), or a DataFrame. Raises OutputCountError if it does not hold `count`
        outputs.
        """
        if isinstance(returned, np.ndarray) and _is_plain(returned, count):
            text = repr(returned.tolist())
            parts: list[Encoded] = list(text[1:-1].encode().split(b", "))
            return parts if "n" not in text else [self._number(part) for part in parts]
        return [self._encode(output) for output in _checked(returned, count)]

    def _number(self, part: Encoded) -> Encoded:
        """Return the JSON of a number's repr, or of a masked element's."""
        if part in _NON_FINITE:
            self.non_finite += 1
            return _NULL
        return _NULL if part == b"None" else part

    def _encode(self, output: object) -> Encoded:
        if isinstance(output, str):
            return _encode_text(output)
        if isinstance(output, float) and isfinite(output):
            return float.__repr__(output).encode()
        if type(output) is int:
            return repr(output).encode()
        try:
            return self._encode_other(output)
        except (TypeError, ValueError, RecursionError) as exc:
            return _explained(exc)

    def _encode_other(self, output: object) -> Encoded:
        if not isinstance(output, _JSON_TYPES):
            output = stand_in(output)
            if isinstance(output, str):  # sent like a str that the model returns
                return _encode_text(output)
        try:
            return _encode_text(_JSON.encode(output))
        except (TypeError, ValueError):  # a key that is no text, or a NaN
            return _encode_text(_JSON.encode(self._plain(output)))

    def _plain(self, value: object) -> object:
        """Return `value` of JSON's types alone, with null in place of NaN and infinity."""
        if value is None or isinstance(value, (str, int)):
            return value
        if isinstance(value, float):
            if isfinite(value):
                return value
            self.non_finite += 1
            return None
        if isinstance(value, dict):
            return {key_text(key): self._plain(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._plain(each) for each in value]
        return self._plain(stand_in(value))


_JSON_TYPES = (str, int, float, list, tuple, dict, type(None))


def _is_plain(outputs: np.ndarray[Any, Any], count: int) -> bool:
    dtype = outputs.dtype
    return (
        outputs.shape == (count,)
        and count > 0
        and dtype.kind in _PLAIN_KINDS
        and dtype.itemsize <= _MAX_PLAIN_BYTES
    )


def _checked(returned: object, count: int) -> Union[list[object], tuple[object, ...]]:
    """Return a model's outputs as a list or tuple of length `count`, or raise OutputCountError."""
    outputs = returned if isinstance(returned, (list, tuple)) else array_content(returned)
    wanted = f"for {count} input{'' if count == 1 else 's'}: it must return"
    if not isinstance(outputs, (list, tuple)):
        what = "None" if returned is None else f"one {type(returned).__name__}"
        raise OutputCountError(f"the model returned {what} {wanted} a list with one output per input")
    if len(outputs) != count:
        plural = "" if len(outputs) == 1 else "s"
        raise OutputCountError(f"the model returned {len(outputs)} output{plural} {wanted} one per input")
    return outputs


def _encode_text(text: str) -> Encoded:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return OutputError("the output holds a lone surrogate, which UTF-8 cannot hold")


def _explained(exc: Exception) -> OutputError:
    if isinstance(exc, OutputError):
        return exc
    reason = "it holds itself, or lies too deep" if isinstance(exc, RecursionError) else exc
    return OutputError(f"the output cannot be written as JSON: {reason}")
