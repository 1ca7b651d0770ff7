"""The decoders of request bodies: JSON in, the bytes for models out. No I/O.

They define the JSON of `predict` and `update`, and the form of each input type in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import GenericAlias
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from clipper_container.input_types import InputType
from clipper_frontend.query.bodies.inputs import ANY_JSON, FORMATS, PACK, USUAL_JSON
from clipper_frontend.query.bodies.refusals import DECODE_ERRORS, BadRequest, bad_request

_INT64 = msgspec.Meta(ge=-(2**63), le=2**63 - 1)
_QUERY_ID = msgspec.Meta(ge=0, lt=2**53)
# Users have a state of their own, under their names.
_User: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | Annotated[int, _INT64]
_Inputs: TypeAlias = dict[InputType, Any]
_BOM: Final = b"\xef\xbb\xbf"
# Unescaped quotes of keys and ignored members that a request may have besides those of its inputs.
_QUOTES_ASIDE: Final = 64


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
        self._pack = PACK[input_type]
        self._decode = _decoder(predict_body, input_type, USUAL_JSON)
        self._other_forms = _OtherForms(input_type, _decoder(predict_body, input_type, ANY_JSON))
        self._is_array = input_type in FORMATS
        # An input and its comma take two bytes at least: a shorter body cannot hold too many.
        self._small_bytes = 2 * max_inputs

    def decode(self, body: bytes) -> PredictRequest:
        """Return the decoded call, or raise BadRequest."""
        if len(body) > self._small_bytes:
            self._refuse_too_many(body)
        try:
            request = self._decode(body)
        except DECODE_ERRORS:
            request = self._other_forms.decode(body)
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
        self._pack = PACK[input_type]
        self._decode = _decoder(feedback_body, input_type, USUAL_JSON)
        self._other_forms = _OtherForms(input_type, _decoder(feedback_body, input_type, ANY_JSON))

    def decode(self, body: bytes) -> Feedback:
        """Return the decoded call, or raise BadRequest."""
        try:
            feedback = self._decode(body)
        except DECODE_ERRORS:
            feedback = self._other_forms.decode(body)
        if feedback.query_id is not None:
            return Feedback(feedback.query_id, None, None, feedback.label)
        user = _user(feedback)
        if user is None:
            raise BadRequest("the key query_id is missing, or uid (or user_id) with input")
        if feedback.input is UNSET:
            raise BadRequest("the key input is missing, or query_id instead of it")
        return Feedback(None, user, self._pack(feedback.input, "input"), feedback.label)


# The JSON of bodies.


def predict_body(input_type: InputType, inputs: _Inputs = ANY_JSON) -> type[Any]:
    """Return the struct that a predict call's body is decoded into."""
    element = inputs[input_type]
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


def feedback_body(input_type: InputType, inputs: _Inputs = ANY_JSON) -> type[Any]:
    """Return the struct that an update call's body is decoded into."""
    return msgspec.defstruct(
        f"Feedback{input_type.value.capitalize()}",
        [
            ("label", Any),
            ("query_id", Annotated[int, _QUERY_ID] | None, None),
            ("input", inputs[input_type] | UnsetType, UNSET),
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


def _decoder(
    body_of: Callable[[InputType, _Inputs], type[Any]], input_type: InputType, inputs: _Inputs
) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(body_of(input_type, inputs)).decode


class _OtherForms:
    """Decodes what a decoder of the usual form did not take: missing numbers, a byte order mark."""

    def __init__(self, input_type: InputType, decode: Callable[[bytes], Any]) -> None:
        self._input_type = input_type
        self._decode = decode

    def decode(self, body: bytes) -> Any:
        """Return the decoded body, or raise BadRequest."""
        try:
            return self._decode(body.removeprefix(_BOM))
        except DECODE_ERRORS as error:
            raise bad_request(body, error, self._input_type) from error
