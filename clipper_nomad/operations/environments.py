"""The environment of a version's replicas: the variables that are given, and the sample input among them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clipper_container.input_types import InputType
from clipper_container.settings import SAMPLE_INPUT, encode_sample
from clipper_nomad.errors import ClipperException
from clipper_nomad.operations.trial import encode_input

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = "CLIPPER_"
#: An operating system takes 128 KiB for one variable.
_MAX_VALUE_BYTES = 120_000


def make_environment(environment: object, sample_input: object, input_type: str) -> dict[str, str]:
    """Return the variables of a replica; a `sample_input` of None is none. Raises ClipperException."""
    found = parse_environment(environment)
    if sample_input is not None:
        found[SAMPLE_INPUT] = _encode(sample_input, InputType.parse(input_type))
    return found


def parse_environment(environment: object) -> dict[str, str]:
    """Return the checked variables; None means none. Raises ClipperException, which shows no value."""
    if environment is None:
        return {}
    if not isinstance(environment, Mapping):
        raise ClipperException(
            f"environment is a {type(environment).__name__}: pass a dict, such as {{'NAME': 'value'}}."
        )
    for name, value in environment.items():
        _check_name(name)
        _check_value(name, value)
    return dict(environment)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ClipperException(
            f"{name!r} cannot name an environment variable: use letters, digits and `_`, with no digit first."
        )
    if name.upper().startswith(_OURS):
        raise ClipperException(
            f"environment has {name}: variables that begin with {_OURS} are settings of the model "
            "runtime, which each replica is given. Use another name."
        )


def _check_value(name: str, value: object) -> None:
    if not isinstance(value, str):
        kind = type(value).__name__
        raise ClipperException(f"The environment variable {name} is a {kind}: values are text, such as '5'.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        size = -1
    if size < 0 or "\0" in value:
        raise ClipperException(
            f"The environment variable {name} holds a NUL character or a lone surrogate: use other text."
        )
    if size > _MAX_VALUE_BYTES:
        raise ClipperException(
            f"The environment variable {name} has {size} bytes, and {_MAX_VALUE_BYTES} is the most that a "
            "process takes: put it into a file of the model's folder."
        )


def _encode(sample: object, input_type: InputType) -> str:
    try:
        if input_type is InputType.BYTES and isinstance(sample, bytes | bytearray):
            raw = bytes(sample)
        else:
            raw = encode_input(sample, input_type)
    except ValueError as exc:
        raise ClipperException(
            f"sample_input cannot be used: {exc}. Pass one input of type {input_type.value}, as queries do."
        ) from exc
    if not raw and input_type is not InputType.STRINGS:
        raise ClipperException(
            "sample_input is empty: only strings may be. Pass one input as a query has it."
        )
    encoded = encode_sample(raw)
    if len(encoded) > _MAX_VALUE_BYTES:
        raise ClipperException(
            f"sample_input has {len(encoded)} bytes when it is packed, and {_MAX_VALUE_BYTES} is the most "
            "that travels: pass a smaller one, or one that can be compressed, such as zeros."
        )
    return encoded
