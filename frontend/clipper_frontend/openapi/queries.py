"""The predict and update calls in the document, and the types of their answers.

The query frontend writes its answers as bytes, key by key; the structs here describe them.
"""

from __future__ import annotations

import enum
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from clipper_container.input_types import InputType
from clipper_frontend.openapi.parts import (
    QUERY_FRONTEND,
    Schemas,
    json_content,
    operation,
    path,
    response,
    text_content,
)
from clipper_frontend.query.bodies.answers import DefaultReason
from clipper_frontend.query.bodies.requests import feedback_body, predict_body


class Prediction(msgspec.Struct):
    """The answer to one input: a model's output, or the application's default output and why it is given."""

    query_id: int
    output: Any
    default: bool
    default_explanation: str | UnsetType = UNSET
    default_reason: DefaultReason | UnsetType = UNSET
    default_detail: str | UnsetType = UNSET
    models: list[str] | UnsetType = UNSET
    confidence: float | UnsetType = UNSET
    missing: list[str] | UnsetType = UNSET
    late: bool | UnsetType = UNSET


class Unavailable(msgspec.Struct):
    """The answer to one input if the application wants an error in place of its default output."""

    query_id: int
    error: str
    cause: str
    default_reason: DefaultReason
    default_detail: str | UnsetType = UNSET
    late: bool | UnsetType = UNSET


class BatchPredictions(msgspec.Struct):
    """The answers to several inputs, in input order."""

    batch_predictions: list[Prediction]


class PartlyUnavailable(msgspec.Struct):
    """The answers to several inputs, in input order: some are `Unavailable`, the others `Prediction`."""

    batch_predictions: list[Any]


class Refusal(msgspec.Struct):
    """A request that is not answered: the kind of error, and what is wrong."""

    error: str
    cause: str


class FeedbackResult(enum.Enum):
    """The outcome of feedback: it counts once per query, while the query is remembered."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    LATE = "late"


class FeedbackAnswer(msgspec.Struct):
    """The answer to feedback on a query."""

    feedback: FeedbackResult


_APPLICATION: Final = {
    "name": "application",
    "in": "path",
    "required": True,
    "description": "The application's name; its input type decides which of the bodies a call takes.",
    "schema": {"type": "string"},
}


def query_paths(schemas: Schemas) -> dict[str, Any]:
    """Return the paths of the calls that applications make."""
    return {
        "/{application}/predict": _path(post=_predict(schemas)),
        "/{application}/update": _path(post=_update(schemas)),
    }


def _path(**operations: Any) -> dict[str, Any]:
    return path([QUERY_FRONTEND], **operations) | {"parameters": [_APPLICATION]}


def _predict(schemas: Schemas) -> dict[str, Any]:
    bodies = schemas.of(*map(predict_body, InputType))
    answer = json_content(schemas.of(Prediction, BatchPredictions))
    unavailable = json_content(schemas.of(Unavailable, PartlyUnavailable, Refusal))
    responses = {
        "200": response("The prediction, within the application's latency SLO.", answer),
        **_refusals(schemas),
        "503": response("There is no prediction, or the frontend is not ready.", unavailable),
    }
    doc = "Predict for one input (`input`) or several (`input_batch`), with exactly one of the two keys."
    return operation("predict", doc, responses, body=bodies)


def _update(schemas: Schemas) -> dict[str, Any]:
    bodies = schemas.of(*map(feedback_body, InputType))
    answer = json_content(schemas.of(FeedbackAnswer)) | text_content("To feedback without a query_id.")
    refusal = json_content(schemas.of(Refusal))
    responses = {
        "200": response("The feedback was received.", answer),
        **_refusals(schemas),
        "503": response("The feedback was not acknowledged: send it again in a moment.", refusal),
    }
    doc = "Give feedback: the right `label` for an earlier query (`query_id`), or for an `input` of a user."
    return operation("update", doc, responses, body=bodies)


def _refusals(schemas: Schemas) -> dict[str, Any]:
    refusal = json_content(schemas.of(Refusal))
    return {
        "400": response("The body cannot be used.", refusal),
        "404": response("There is no such application.", refusal),
        "408": response("The body did not arrive in time.", refusal),
        "413": response("The body is too large.", refusal),
    }
