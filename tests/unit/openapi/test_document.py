"""The OpenAPI document: committed as the types make it, valid, and true of what frontends answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import clipper_frontend.openapi
from clipper_container.input_types import InputType
from clipper_frontend.management.calls import CALLS
from clipper_frontend.openapi import queries
from clipper_frontend.openapi.document import document, render
from clipper_frontend.openapi.parts import Schemas
from clipper_frontend.query.bodies import answers
from clipper_frontend.query.bodies.answers import DefaultReason

COMMITTED = Path(clipper_frontend.openapi.__file__).with_name("openapi.json")


def test_the_committed_document_is_current() -> None:
    assert COMMITTED.read_bytes() == render(), "run python -m clipper_frontend.openapi"


def test_the_document_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def test_every_admin_call_is_in_the_document() -> None:
    paths = document()["paths"]
    for name in CALLS:
        assert paths[f"/admin/{name}"]["post"]["operationId"] == name
        assert paths[f"/admin/{name}"]["post"]["summary"]


def test_an_admin_call_has_its_body_and_its_answers() -> None:
    call = document()["paths"]["/admin/get_model"]["post"]
    assert call["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/NamedVersion"}}
    }
    assert call["responses"]["200"]["content"]["application/json"]["schema"] == {
        "anyOf": [{"$ref": "#/components/schemas/Model"}, {"$ref": "#/components/schemas/Unknown"}]
    }
    assert document()["components"]["schemas"]["Model"]["properties"]["labels"] == {
        "type": "array",
        "items": {"type": "string"},
    }


@pytest.mark.parametrize("input_type", InputType)
def test_every_input_type_has_its_bodies(input_type: InputType) -> None:
    schemas = document()["components"]["schemas"]
    name = input_type.value.capitalize()
    assert (
        schemas[f"Predict{name}"]["properties"]["input"] == schemas[f"Feedback{name}"]["properties"]["input"]
    )


def test_two_types_of_one_name_are_refused() -> None:
    schemas = Schemas()
    schemas.of(msgspec.defstruct("Same", [("a", int)]))
    with pytest.raises(ValueError, match="two types of the interface are called Same"):
        schemas.of(msgspec.defstruct("Same", [("b", int)]))


@pytest.mark.parametrize(
    ("body", "answer_type"),
    [
        (answers.render_answer(1, b"2", answers.NO_MODELS_MEMBER), queries.Prediction),
        (answers.render_answer(1, b"2", answers.combined_members(["m:1"], 0.5, ["n"])), queries.Prediction),
        (answers.render_late_answer(1, b'"a"', answers.models_member(["m:1"])), queries.Prediction),
        (answers.render_default(1, b"0", DefaultReason.TIMEOUT, "slow"), queries.Prediction),
        (answers.render_unavailable(1, DefaultReason.NO_MODEL, "none"), queries.Unavailable),
        (answers.error_body("Json error", "empty"), queries.Refusal),
    ],
)
def test_answers_are_as_described(body: bytes, answer_type: Any) -> None:
    value = json.loads(body)
    assert msgspec.to_builtins(msgspec.convert(value, answer_type)) == value


def test_a_batch_is_as_described() -> None:
    one = answers.render_answer(1, b"2", answers.NO_MODELS_MEMBER)
    batch = msgspec.json.decode(answers.render_batch([one]), type=queries.BatchPredictions)
    assert [prediction.query_id for prediction in batch.batch_predictions] == [1]
