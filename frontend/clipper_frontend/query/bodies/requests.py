"""The decoders of request bodies: JSON in, the bytes for models out. No I/O.

They define the JSON of `predict` and `update`, and the form of each input type in it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from types import GenericAlias
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from clipper_container.input_types import InputType

_INT64 = msgspec.Meta(ge=-(2**63), le=2**63 - 1)
_INT32 = msgspec.Meta(ge=-(2**31), le=2**31 - 1)
_QUERY_ID = msgspec.Meta(ge=0, lt=2**53)
# Users have a state of their own, under their names.
_User: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | Annotated[int, _INT64]
# Packers are kept for inputs up to this length: together they take under a megabyte.
_MAX_CACHED_LENGTH: Final = 4096
# Unescaped quotes of keys and ignored members that a request may have besides those of its inputs.
_QUOTES_ASIDE: Final = 64


class BadRequest(Exception):  # noqa: N818 (named for the response that it becomes)
    """A body that cannot be decoded; `cause` names the key or element, and what was expected."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(cause)


class PredictRequest(msgspec.Struct, frozen=True, gc=False):
    """A decoded predict call: each of `inputs` is in the model's form, little-endian or UTF-8.

    If `is_batch`, the answer is a batch: several inputs were given, or none. `version` None is the model's
    current one. `user` is the user's id, if one was given.
    """

    inputs: Sequence[bytes]
    is_batch: bool
    version: str | None
    user: str | None = None


class Feedback(msgspec.Struct, frozen=True, gc=False):
    """A decoded update call: the right `label`, a JSON value.

    It belongs to an earlier query, `query_id`; or, in Clipper's form, to an `input` of one `user`.
    """

    query_id: int | None
    user: str | None
    input: bytes | None
    label: Any


class PredictDecoder:
    """Decodes the predict calls of one application, of at most `max_inputs` inputs each."""

    def __init__(self, input_type: InputType, max_inputs: int) -> None:
        self._max_inputs = max_inputs
        self._pack = _PACK[input_type]
        self._decode = msgspec.json.Decoder(predict_body(input_type)).decode
        self._is_array = input_type in _FORMATS
        # An input and its comma take two bytes at least: a shorter body cannot hold too many.
        self._small_bytes = 2 * max_inputs

    def decode(self, body: bytes) -> PredictRequest:
        """Return the decoded call, or raise BadRequest."""
        if len(body) > self._small_bytes:
            self._refuse_too_many(body)
        try:
            request = self._decode(body)
        except _DECODE_ERRORS as error:
            raise _bad_request(body, error) from error
        value = request.input
        batch = request.input_batch
        user = None if request.user_id is None and request.uid is None else _user(request)
        version = request.version
        if type(version) is int:
            version = str(version)
        if batch is not UNSET:
            if value is not UNSET:
                raise BadRequest("give either input or input_batch, not both")
            return PredictRequest(self._pack_batch(batch), len(batch) != 1, version, user)
        if value is UNSET:
            raise BadRequest("the key input (one input) or input_batch (a list of inputs) is missing")
        return PredictRequest((self._pack(value, "input"),), False, version, user)

    def _pack_batch(self, batch: list[Any]) -> list[bytes]:
        if len(batch) > self._max_inputs:
            raise self._too_many(f"{len(batch)} inputs")
        pack = self._pack
        return [pack(value, f"input_batch[{i}]") for i, value in enumerate(batch)]

    def _refuse_too_many(self, body: bytes) -> None:
        """Count brackets or quotes, to refuse a body before millions of inputs become objects."""
        if self._is_array:
            arrays = body.count(b"[") - 1
            if arrays > self._max_inputs:
                raise self._too_many(f"{arrays} arrays")
        else:
            quotes = body.count(b'"') - body.count(b'\\"')
            if quotes > 2 * self._max_inputs + _QUOTES_ASIDE:
                raise self._too_many(f"{quotes // 2} strings")

    def _too_many(self, found: str) -> BadRequest:
        return BadRequest(
            f"input_batch: at most {self._max_inputs} inputs in one request; this one has {found}"
        )


class FeedbackDecoder:
    """Decodes the update calls of one application."""

    def __init__(self, input_type: InputType) -> None:
        self._pack = _PACK[input_type]
        self._decode = msgspec.json.Decoder(feedback_body(input_type)).decode

    def decode(self, body: bytes) -> Feedback:
        """Return the decoded call, or raise BadRequest."""
        try:
            feedback = self._decode(body)
        except _DECODE_ERRORS as error:
            raise _bad_request(body, error) from error
        if feedback.query_id is not None:
            return Feedback(feedback.query_id, None, None, feedback.label)
        user = _user(feedback)
        if user is None:
            raise BadRequest("the key query_id is missing, or uid (or user_id) with input")
        if feedback.input is UNSET:
            raise BadRequest("the key input is missing, or query_id instead of it")
        return Feedback(None, user, self._pack(feedback.input, "input"), feedback.label)


# The JSON of each input type.

_ELEMENTS: Final[dict[InputType, Any]] = {
    InputType.BYTES: bytes,
    InputType.INTEGERS: list[Annotated[int, _INT32]],
    InputType.FLOATS: list[float],
    InputType.DOUBLES: list[float],
    InputType.STRINGS: str,
}
_FORMATS: Final = {InputType.INTEGERS: "i", InputType.FLOATS: "f", InputType.DOUBLES: "d"}


def predict_body(input_type: InputType) -> type[Any]:
    """Return the struct that a predict call's body is decoded into."""
    element = _ELEMENTS[input_type]
    return msgspec.defstruct(
        f"Predict{input_type.value.capitalize()}",
        [
            ("input", element | UnsetType, UNSET),
            ("input_batch", GenericAlias(list, (element,)) | UnsetType, UNSET),
            ("version", str | Annotated[int, _INT64], None),
            ("user_id", _User | None, None),
            ("uid", Annotated[int, _INT64] | None, None),
        ],
    )


def feedback_body(input_type: InputType) -> type[Any]:
    """Return the struct that an update call's body is decoded into."""
    return msgspec.defstruct(
        f"Feedback{input_type.value.capitalize()}",
        [
            ("label", Any),
            ("query_id", Annotated[int, _QUERY_ID] | None, None),
            ("input", _ELEMENTS[input_type] | UnsetType, UNSET),
            ("user_id", _User | None, None),
            ("uid", Annotated[int, _INT64] | None, None),
        ],
    )


def _user(body: Any) -> str | None:
    """Return the user of a body; `uid` is Clipper's name for it."""
    user = body.user_id
    if user is None:
        user = body.uid
        if user is None:
            return None
    return user if type(user) is str else str(user)


# Packing: (value, its place in the body) to bytes.


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
    packers = _Packers(_FORMATS[input_type])

    def pack(values: list[Any], where: str) -> bytes:
        if not values:
            raise BadRequest(f"{where} is empty: expected an array of numbers")
        try:
            return packers[len(values)](*values)
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


_PACK: Final[dict[InputType, Callable[[Any, str], bytes]]] = {
    InputType.BYTES: _pack_bytes,
    InputType.STRINGS: _pack_string,
    **{input_type: _numbers_packer(input_type) for input_type in _FORMATS},
}

# Errors.

_DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_WITH_PATH: Final = re.compile(r"(?P<problem>.*) - at `(?:key in )?`?\$\.?(?P<path>.+)`", re.DOTALL)


def _bad_request(body: bytes, error: Exception) -> BadRequest:
    """Return the error of a body in terms of its JSON."""
    if not body:
        return BadRequest("the body is empty: expected a JSON object")
    if isinstance(error, UnicodeDecodeError):
        return BadRequest("the body is not UTF-8")
    if isinstance(error, RecursionError):
        return BadRequest("the JSON is nested too deep")
    found = _WITH_PATH.fullmatch(str(error))
    return BadRequest(f"{found['path']}: {found['problem']}" if found else str(error))
