"""A trial of a model's function in this process, before it is deployed.

Inputs and outputs are converted as the query frontend and the model runtime do it. No cluster is needed.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from clipper_container.conversion import convert_inputs
from clipper_container.input_types import InputType
from clipper_container.kinds.pickling import copy_function
from clipper_container.outputs import OutputCountError, OutputError, encode_outputs
from clipper_nomad.deployers.packing.callables import check_callable
from clipper_nomad.deployers.packing.references import find_references
from clipper_nomad.errors import ClipperException

_KEYS = ("input", "input_batch")
#: The kinds of NumPy's element types that are numbers of an input type.
_NUMBER_KINDS = {InputType.INTEGERS: "iu", InputType.FLOATS: "iuf", InputType.DOUBLES: "iuf"}
_DTYPES = {InputType.INTEGERS: "<i4", InputType.FLOATS: "<f4", InputType.DOUBLES: "<f8"}


class _BadQueryError(ValueError):
    """A query that the query frontend would refuse."""


def try_function(query: Mapping[str, Any], func: Callable[[Any], Any], input_type: str) -> list[Any] | str:
    """Return the outputs of `func`, pickled and unpickled, for a query's inputs.

    Returns a text instead if the query, the pickling or an output is at fault. Exceptions of `func` are
    raised.
    """
    try:
        parsed_type = InputType.parse(input_type)
        inputs = [encode_input(value, parsed_type) for value in _find_inputs(query)]
    except ValueError as exc:
        return f"Invalid input type or JSON key: {exc}"
    try:
        check_callable(func)
        find_references(func)
    except ClipperException as exc:
        return exc.msg
    if not inputs:
        return []
    model = copy_function(func)
    returned = model(convert_inputs(inputs, parsed_type))
    try:
        return [_decode_output(output) for output in encode_outputs(returned, len(inputs))]
    except (OutputCountError, OutputError) as exc:
        return str(exc)


def _find_inputs(query: Mapping[str, Any]) -> list[Any]:
    given = [key for key in _KEYS if key in query]
    if len(given) != 1:
        raise _BadQueryError(f"the query has the keys {list(query)}: use one of {' and '.join(_KEYS)}")
    value = query[given[0]]
    if given == ["input"]:
        return [value]
    if not isinstance(value, list | tuple | np.ndarray):
        raise _BadQueryError(f"input_batch is {value!r:.80}: use a list of inputs")
    return list(value)


def encode_input(value: object, input_type: InputType) -> bytes:
    """Return an input of a query as a model gets it. Raises ValueError for one that queries cannot have."""
    if input_type is InputType.STRINGS:
        return value.encode() if isinstance(value, str) else _refuse(value, "a string")
    if input_type is InputType.BYTES:
        return _decode_base64(value)
    return _encode_numbers(value, input_type)


def _decode_base64(value: object) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else _refuse(value, "base64")
    except binascii.Error:
        _refuse(value, "base64")


def _encode_numbers(value: object, input_type: InputType) -> bytes:
    try:
        numbers = np.asarray(value)
    except ValueError:
        _refuse(value, f"a list of {input_type.value}")
    # An empty list has no element type.
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in _NUMBER_KINDS[input_type]):
        _refuse(value, f"a list of {input_type.value}")
    converted = numbers.astype(_DTYPES[input_type])
    if input_type is InputType.INTEGERS and not np.array_equal(converted, numbers):
        _refuse(value, "a list of integers of 32 bits")
    return converted.tobytes()


def _refuse(value: object, wanted: str) -> NoReturn:
    raise _BadQueryError(f"the input {value!r:.80} is not {wanted}")


def _decode_output(output: bytes | OutputError) -> Any:
    if isinstance(output, OutputError):
        raise output
    text = output.decode()
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
