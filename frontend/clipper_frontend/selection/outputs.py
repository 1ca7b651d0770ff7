"""Model outputs, which are JSON, read as numbers or as labels."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

#: The key by which labels are compared: numbers and texts by value, all else by its JSON.
LabelKey: TypeAlias = int | float | str | bytes

_BY_VALUE: Final = frozenset((int, float, str))

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


def number(output: bytes) -> float | None:
    """Return the number that an output is, or None."""
    try:
        return as_number(_decode(output))
    except (msgspec.DecodeError, RecursionError):
        return None


def as_number(value: Any) -> float | None:
    """Return a decoded JSON value as a number, or None; true and false are not numbers. JSON has no NaN."""
    if type(value) is float:
        return value
    if type(value) is not int:
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def number_json(value: float) -> bytes:
    """Return a number as JSON."""
    return _encode(value)


def label(output: bytes) -> LabelKey:
    """Return the key by which an output is compared."""
    try:
        return as_label(_decode(output))
    except (msgspec.DecodeError, RecursionError):
        return output


def as_label(value: Any) -> LabelKey:
    """Return the key by which a decoded JSON value is compared: 1 equals 1.0, but not "1"."""
    return value if type(value) in _BY_VALUE else _encode(value)
