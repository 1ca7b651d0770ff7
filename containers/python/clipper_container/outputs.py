"""The encoding of a model's outputs: one sequence of bytes per input.

A str is sent as it is, anything else as JSON. Whatever JSON cannot hold becomes an error in its place.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Union

import numpy as np

#: The repr of a finite number of these kinds is JSON, up to 64 bits; NumPy's wider types have another repr.
_PLAIN_KINDS = "fiu"
_MAX_PLAIN_BYTES = 8


class OutputError(ValueError):
    """The output cannot be sent."""


class OutputCountError(ValueError):
    """The model did not return one output per input."""


Encoded = Union[bytes, OutputError]


def encode_outputs(returned: object, count: int) -> list[Encoded]:
    """Return the bytes of each of the `count` outputs, or an error in place of those that cannot be sent.

    `returned` may be a list, a tuple, an array whose first dimension is `count`, or an object with `tolist()`
    (a tensor, a pandas Series). Raises OutputCountError if it does not hold `count` outputs.
    """
    if isinstance(returned, np.ndarray) and _is_plain(returned, count):
        text = repr(returned.tolist())
        if "n" not in text:  # nan and inf hold one, finite numbers do not
            return list(text[1:-1].encode().split(b", "))
    return [_encode(output) for output in _checked(returned, count)]


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
    outputs = returned if isinstance(returned, (list, tuple)) else _listed(returned)
    wanted = f"for {count} input{'' if count == 1 else 's'}: it must return"
    if not isinstance(outputs, (list, tuple)):
        what = "None" if returned is None else f"one {type(returned).__name__}"
        raise OutputCountError(f"the model returned {what} {wanted} a list with one output per input")
    if len(outputs) != count:
        plural = "" if len(outputs) == 1 else "s"
        raise OutputCountError(f"the model returned {len(outputs)} output{plural} {wanted} one per input")
    return outputs


def _listed(value: object) -> object:
    """Return the result of `tolist()` (NumPy's arrays and scalars, tensors, Series have it), else None."""
    tolist = getattr(value, "tolist", None)
    return tolist() if callable(tolist) else None


def _encode(output: object) -> Encoded:
    if isinstance(output, str):
        return _encode_text(output)
    if isinstance(output, float) and isfinite(output):
        return float.__repr__(output).encode()
    if type(output) is int:
        return repr(output).encode()
    try:
        return _encode_text(_JSON.encode(output))
    except (TypeError, ValueError, RecursionError) as exc:
        return _explained(exc)


def _encode_text(text: str) -> Encoded:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return OutputError("the output holds a lone surrogate, which UTF-8 cannot hold")


def _explained(exc: Exception) -> OutputError:
    if isinstance(exc, OutputError):
        return exc
    if str(exc).startswith("Out of range float"):
        return OutputError("the output holds NaN or infinity, which JSON cannot hold")
    return OutputError(f"the output cannot be written as JSON: {exc}")


def _simplify(value: object) -> object:
    """Return a value that JSON can hold in place of one that it cannot."""
    kind = type(value).__name__
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise OutputError(
            f"the output holds {kind}, which JSON cannot hold: "
            "return a str, such as base64.b64encode(data).decode()"
        )
    simple = _listed(value)
    if simple is None or isinstance(simple, type(value)):
        raise OutputError(
            f"the output holds a {kind}, which JSON cannot hold: return a str, number, list or dict"
        )
    return simple


_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False, default=_simplify)
