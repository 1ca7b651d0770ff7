"""The stand-ins: what JSON holds in place of a value that it does not know.

A stand-in is one step. What is inside it may need a stand-in of its own.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from clipper_container.outputs.times import duration_text, moment_text, span_text

#: The kinds of NumPy arrays whose tolist() loses what their elements are: times, durations, records.
_LOSSY_KINDS = "MmV"
_ADDRESS = re.compile(r"<.* at 0x[0-9a-fA-F]+.*>\Z", re.DOTALL)
_WORDS: Mapping[object, str] = {None: "null", True: "true", False: "false"}
#: The answer for a value that a look does not know; None may be an answer.
UNKNOWN = object()


class OutputError(ValueError):
    """The output cannot be sent."""


def stand_in(value: object) -> object:
    """Return what is sent for `value`, which is none of JSON's own types. Raises OutputError for no answer.

    A NaN among the answers is for the caller to replace.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise OutputError(
            f"the output holds {type(value).__name__}, which JSON cannot hold: "
            "return a str, such as base64.b64encode(data).decode()"
        )
    if _is_missing(value):
        return None
    if isinstance(value, np.generic):
        return _scalar(value)
    for look in (_fields, array_content, _members):
        found = look(value)
        if found is not UNKNOWN:
            return found
    return _text(value)


def key_text(key: object) -> str:
    """Return the text of a dict's key. Raises OutputError for one that has none."""
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return _WORDS[key]
    if isinstance(key, int):
        return int.__repr__(key)
    if isinstance(key, float):
        return float.__repr__(key)
    simple = stand_in(key)
    return str(key) if isinstance(simple, (list, dict)) else key_text(simple)


def array_content(value: object) -> object:
    """Return an array's elements or a table's records, or the one element of an array without dimensions.

    Tensors and Series are arrays. UNKNOWN is returned for anything else.
    """
    if isinstance(value, type):
        return UNKNOWN
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _LOSSY_KINDS:
            return value.tolist()
        return list(value) if value.ndim else value[()]
    records = _records(value)
    if records is not UNKNOWN:
        return records
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        return tolist()
    return array_content(np.asarray(value)) if hasattr(value, "__array__") else UNKNOWN


def _records(value: Any) -> object:
    """Return the rows of a DataFrame (pandas or Polars) as dicts."""
    if callable(getattr(value, "to_dicts", None)):
        return value.to_dicts()
    if hasattr(value, "columns") and callable(getattr(value, "to_dict", None)):
        return value.to_dict(orient="records")
    return UNKNOWN


def _is_missing(value: object) -> bool:
    """Return whether `value` is pandas' NA or NaT, which is a datetime too."""
    return type(value).__name__ in ("NAType", "NaTType")


def _scalar(value: np.generic) -> object:
    if isinstance(value, np.datetime64):
        return moment_text(value)
    if isinstance(value, np.timedelta64):
        return span_text(value)
    if isinstance(value, np.void) and value.dtype.names:
        return [value[name] for name in value.dtype.names]
    if isinstance(value, np.floating):
        return float(value)
    item = value.item()
    return str(value) if isinstance(item, (np.generic, complex)) else item


def _fields(value: Any) -> object:
    """Return a dataclass's or a pydantic model's fields, or a mapping's items."""
    if isinstance(value, type):
        return UNKNOWN
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if callable(getattr(value, "model_dump", None)):
        return value.model_dump()
    is_old_pydantic = hasattr(value, "__fields_set__") and callable(getattr(value, "dict", None))
    return value.dict() if is_old_pydantic else UNKNOWN


def _members(value: object) -> object:
    return list(value) if isinstance(value, (Sequence, Set)) else UNKNOWN


def _text(value: object) -> object:
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return duration_text(value)
    if isinstance(value, decimal.Decimal) and not value.is_finite():
        return float("nan")
    text = str(value)
    if _ADDRESS.match(text):
        raise OutputError(
            f"the output holds a {type(value).__name__}, which JSON cannot hold and which has no text of its "
            "own: return a str, number, list or dict"
        )
    return text
