"""The inputs of each type: their JSON, and the bytes that a model gets. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec

from clipper_container.input_types import InputType
from clipper_frontend.query.bodies.refusals import BadRequest

_INT32 = msgspec.Meta(ge=-(2**31), le=2**31 - 1)
_NAN: Final = float("nan")
# Packers are kept for inputs up to this length: together they take under a megabyte.
_MAX_CACHED_LENGTH: Final = 4096

#: The usual form of an input in JSON, which is decoded fastest.
USUAL_JSON: Final[dict[InputType, Any]] = {
    InputType.BYTES: bytes,
    InputType.INTEGERS: list[Annotated[int, _INT32]],
    InputType.FLOATS: list[float],
    InputType.DOUBLES: list[float],
    InputType.STRINGS: str,
}
#: All forms of an input in JSON: a missing number is null, and becomes NaN.
ANY_JSON: Final[dict[InputType, Any]] = {
    **USUAL_JSON,
    InputType.FLOATS: list[float | None],
    InputType.DOUBLES: list[float | None],
}
FORMATS: Final = {InputType.INTEGERS: "i", InputType.FLOATS: "f", InputType.DOUBLES: "d"}


class _Packers(dict[int, Callable[..., bytes]]):
    """Little-endian packers of one element format by number of elements, made on first use."""

    def __init__(self, element_format: str) -> None:
        self._element_format = element_format

    def __missing__(self, length: int) -> Callable[..., bytes]:
        pack = struct.Struct(f"<{length}{self._element_format}").pack
        if length <= _MAX_CACHED_LENGTH:
            self[length] = pack
        return pack


def _numbers_packer(input_type: InputType) -> Callable[[list[Any], str], bytes]:
    packers = _Packers(FORMATS[input_type])

    def pack(values: list[Any], where: str) -> bytes:
        if not values:
            raise BadRequest(f"{where} is empty: expected an array of numbers")
        try:
            return packers[len(values)](*values)
        except struct.error:
            return pack([_NAN if value is None else value for value in values], where)
        except OverflowError:
            raise BadRequest(
                f"{where}[{_first_overflow(values)}]: the number is out of the range of a float32"
            ) from None

    return pack


def _first_overflow(values: list[float]) -> int:
    for i, value in enumerate(values):
        try:
            struct.pack("<f", value)
        except OverflowError:
            return i
    raise AssertionError("every number is in range")


def _pack_bytes(value: bytes, where: str) -> bytes:
    if not value:
        raise BadRequest(f"{where} is empty: expected a base64 string of at least one byte")
    return value


def _pack_string(value: str, where: str) -> bytes:  # noqa: ARG001 (no string is refused)
    return value.encode()


#: Packers: (value, its place in the body) to bytes.
PACK: Final[dict[InputType, Callable[[Any, str], bytes]]] = {
    InputType.BYTES: _pack_bytes,
    InputType.STRINGS: _pack_string,
    **{input_type: _numbers_packer(input_type) for input_type in FORMATS},
}
