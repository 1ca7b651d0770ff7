"""The JSON of answers: predictions, defaults, refusals. No I/O.

It defines the keys, their order and the texts. All functions return UTF-8 JSON without whitespace between
tokens.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from typing import Final

import msgspec

from clipper_frontend.query.bodies.surrogates import without_halves


class DefaultReason(enum.Enum):
    """The reason why a query was not answered by its model."""

    NO_MODEL = "no_model"
    NO_REPLICA = "no_replica"
    TIMEOUT = "timeout"
    MODEL_ERROR = "model_error"
    OVERLOADED = "overloaded"
    LOW_CONFIDENCE = "low_confidence"
    NOT_A_NUMBER = "not_a_number"

    @property
    def explanation(self) -> str:
        """Return Clipper's text for it."""
        return _EXPLANATIONS[self]


_NO_MODELS = "No connected models found for query"
_NOT_IN_TIME = "Failed to retrieve a prediction response within the specified latency SLO"
_EXPLANATIONS: Final = {
    reason: _NO_MODELS if reason in (DefaultReason.NO_MODEL, DefaultReason.NO_REPLICA) else _NOT_IN_TIME
    for reason in DefaultReason
}
_EXPLANATIONS_JSON: Final = {reason: json.dumps(text).encode() for reason, text in _EXPLANATIONS.items()}
_REASONS_JSON: Final = {reason: json.dumps(reason.value).encode() for reason in DefaultReason}

_LATE_MEMBER: Final = b',"late":true'
_JSON_WHITESPACE: Final = b" \t\n\r"
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode


def output_json(output: bytes) -> bytes:
    """Return a model's output as JSON: unchanged if it is JSON, else as a JSON string.

    Bytes that are not UTF-8 are replaced, and so are halves of surrogate pairs, which strict parsers refuse.
    JSON nested too deep to be checked becomes a string too.
    """
    try:
        text = output.decode()
    except UnicodeDecodeError:
        return _encode(output.decode(errors="replace"))
    try:
        _decode_raw(output)
    except (msgspec.DecodeError, RecursionError):
        whole = without_halves(output)
        if whole is output or not _is_json(whole):
            return _encode(text)
        output = whole
    return output.strip(_JSON_WHITESPACE)


def _is_json(output: bytes) -> bool:
    try:
        _decode_raw(output)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def output_text(output: bytes) -> bytes:
    """Return a model's output as a JSON string, whatever it holds; bytes that are not UTF-8 are replaced."""
    return _encode(output.decode(errors="replace"))


def models_member(versions: Iterable[str]) -> bytes:
    """Return the member of an answer that names the model versions in it."""
    return b',"models":%b' % _encode(list(versions))


NO_MODELS_MEMBER: Final = models_member(())


def combined_members(versions: Iterable[str], confidence: float, missing: Iterable[str]) -> bytes:
    """Return the members of a combined answer: its versions, their agreement, and the missing versions."""
    return b'%b,"confidence":%b,"missing":%b' % (
        models_member(versions),
        _encode(confidence),
        _encode(list(missing)),
    )


def render_answer(query_id: int, output: bytes, members: bytes) -> bytes:
    """Return the answer to one input; `output` is JSON, `members` are those about the models."""
    return b'{"query_id":%d,"output":%b,"default":false%b}' % (query_id, output, members)


def render_late_answer(query_id: int, output: bytes, members: bytes) -> bytes:
    """Return the answer to one input that came after the SLO of its application."""
    return b'{"query_id":%d,"output":%b,"default":false%b,"late":true}' % (query_id, output, members)


def render_default(
    query_id: int,
    default: bytes,
    reason: DefaultReason,
    detail: str | None = None,
    members: bytes = b"",
    *,
    late: bool = False,
) -> bytes:
    """Return the default output as the answer to one input; `default` is JSON."""
    return (
        b'{"query_id":%d,"output":%b,"default":true,"default_explanation":%b,"default_reason":%b%b%b%b}'
        % (
            query_id,
            default,
            _EXPLANATIONS_JSON[reason],
            _REASONS_JSON[reason],
            _detail_member(detail),
            members,
            _LATE_MEMBER if late else b"",
        )
    )


def render_unavailable(
    query_id: int, reason: DefaultReason, detail: str | None = None, *, late: bool = False
) -> bytes:
    """Return the body of a 503, for an application that wants an error instead of its default output."""
    return b'{"query_id":%d,"error":"No prediction","cause":%b,"default_reason":%b%b%b}' % (
        query_id,
        _EXPLANATIONS_JSON[reason],
        _REASONS_JSON[reason],
        _detail_member(detail),
        _LATE_MEMBER if late else b"",
    )


def render_batch(parts: list[bytes]) -> bytes:
    """Return the answer to several inputs, made from the answers to each."""
    return b'{"batch_predictions":[%b]}' % b",".join(parts)


def error_body(error: str, cause: str) -> bytes:
    """Return the body of a refusal: the kind of error, and its cause."""
    return b'{"error":%b,"cause":%b}' % (_text_json(error), _text_json(cause))


def _detail_member(detail: str | None) -> bytes:
    return b"" if detail is None else b',"default_detail":%b' % _text_json(detail)


def _text_json(text: str) -> bytes:
    # A lone surrogate has no UTF-8 form.
    return _encode(text.encode(errors="replace").decode())
