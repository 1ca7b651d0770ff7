"""From what a model returned to the bytes of each output.

A str is sent as it is, anything else as JSON. Owns the rules of what counts as one output per input and of
what JSON cannot hold. Knows nothing of models or frames.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Union

import numpy as np

# repr of these is JSON, for finite values: what numpy holds beyond 64 bits has a repr of its own.
_PLAIN_KINDS = "fiu"
_MAX_PLAIN_BYTES = 8


class OutputError(ValueError):
    """An output that cannot be sent."""


class OutputCountError(ValueError):
    """A model did not return one output per input."""


Encoded = Union[bytes, OutputError]


def encode_outputs(returned: object, count: int) -> list[Encoded]:
    """Return the bytes of each of the `count` outputs, or the error that stands in its place.

    `returned` may be a list, a tuple, an array whose first dimension is `count`, or what turns into a list by
    `tolist()` (a tensor, a pandas Series). Raises OutputCountError when it does not hold `count` outputs.
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
    """Return a model's outputs as a list or tuple of `count`."""
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
    """Return what `tolist()` makes of NumPy's arrays and scalars, tensors and Series; None without it."""
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
    """Return what JSON can hold for a value that it does not know."""
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
