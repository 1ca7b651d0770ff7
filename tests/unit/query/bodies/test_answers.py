"""The JSON of answers, read back with json."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clipper_frontend.query.bodies.answers import (
    DefaultReason,
    combined_members,
    error_body,
    models_member,
    output_json,
    render_answer,
    render_batch,
    render_default,
    render_late_answer,
    render_unavailable,
)

NO_MODELS = "No connected models found for query"
NOT_IN_TIME = "Failed to retrieve a prediction response within the specified latency SLO"
EXPLANATIONS = {
    "no_model": NO_MODELS,
    "no_replica": NO_MODELS,
    "timeout": NOT_IN_TIME,
    "model_error": NOT_IN_TIME,
    "overloaded": NOT_IN_TIME,
    "low_confidence": NOT_IN_TIME,
    "not_a_number": NOT_IN_TIME,
}
QUERY_IDS = st.integers(0, 2**63)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def strict_loads(text: bytes) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(text.decode(), parse_constant=refuse)


@settings(max_examples=40)
@given(value=JSON_VALUES, before=st.text(" \t\r\n"), after=st.text(" \t\r\n"))
def test_json_output_is_passed_on_without_the_space_around_it(value: Any, before: str, after: str) -> None:
    text = json.dumps(value)
    assert output_json((before + text + after).encode()) == text.encode()


@settings(max_examples=40)
@given(output=st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
@example(output=b"")
@example(output=b" ")
@example(output=b"NaN")
@example(output=b"-Infinity")
@example(output=b"1 2")
@example(output=b"'a'")
@example(output=b'"\xff"')
@example(output=b'"\\ud800"')
@example(output=b'"a\nb"')
@example(output=b"\xa01")
@example(output=b"[" * 100_000)
@example(output=b"[" * 100_000 + b"]" * 100_000)
def test_any_output_becomes_json(output: bytes) -> None:
    rendered = output_json(output)
    try:
        value = strict_loads(rendered)
    except RecursionError:
        pytest.fail("passed on what a client cannot read")
    text = output.decode(errors="replace")
    if isinstance(value, str) and value == text:
        return
    assert rendered == output.strip(b" \t\r\n").replace(rb"\ud800", rb"\ufffd")


def test_text_output_becomes_a_string() -> None:
    assert output_json(b"cat") == b'"cat"'
    assert output_json('a "big" cat \u00e9'.encode()) == '"a \\"big\\" cat \u00e9"'.encode()
    assert strict_loads(output_json(b"caf\xe9")) == "caf\ufffd"


@pytest.mark.parametrize(
    ("output", "rendered"),
    [
        (rb'{"a":"x\ud83d"}', rb'{"a":"x\ufffd"}'),
        (rb'["\ud83d\ude00","\ude00"]', rb'["\ud83d\ude00","\ufffd"]'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb"say \ud83d", rb'"say \\ud83d"'),
    ],
)
def test_half_a_surrogate_pair_in_an_output_is_replaced(output: bytes, rendered: bytes) -> None:
    assert output_json(output) == rendered


def test_answers_are_written_exactly_so() -> None:
    one = models_member(["m:1"])
    assert render_answer(1, b"2.9", one) == b'{"query_id":1,"output":2.9,"default":false,"models":["m:1"]}'
    late = b'{"query_id":1,"output":"x","default":false,"models":["m:1"],"late":true}'
    assert render_late_answer(1, b'"x"', one) == late
    several = b',"models":["a:1","b:2"],"confidence":0.75,"missing":["c"]'
    assert combined_members(["a:1", "b:2"], 0.75, ["c"]) == several
    assert render_batch([]) == b'{"batch_predictions":[]}'
    assert render_batch([b'{"a":1}', b'{"b":2}']) == b'{"batch_predictions":[{"a":1},{"b":2}]}'
    assert (
        error_body("Json error", 'a "quoted" cause')
        == b'{"error":"Json error","cause":"a \\"quoted\\" cause"}'
    )


@settings(max_examples=40)
@given(query_id=QUERY_IDS, value=JSON_VALUES)
def test_answers_hold_the_output(query_id: int, value: Any) -> None:
    output = json.dumps(value).encode()
    plain = {"query_id": query_id, "output": value, "default": False}
    assert strict_loads(render_answer(query_id, output, b"")) == plain
    assert strict_loads(render_late_answer(query_id, output, b"")) == plain | {"late": True}


@settings(max_examples=40)
@given(
    reason=st.sampled_from(DefaultReason), detail=st.none() | st.text(), query_id=QUERY_IDS, value=JSON_VALUES
)
def test_defaults_say_why(reason: DefaultReason, detail: str | None, query_id: int, value: Any) -> None:
    explained = {"query_id": query_id, "default_reason": reason.value}
    if detail is not None:
        explained["default_detail"] = detail.encode(errors="replace").decode()
    default = render_default(query_id, json.dumps(value).encode(), reason, detail)
    explanation = EXPLANATIONS[reason.value]
    assert strict_loads(default) == explained | {
        "output": value,
        "default": True,
        "default_explanation": explanation,
    }
    error = {"error": "No prediction", "cause": explanation}
    assert strict_loads(render_unavailable(query_id, reason, detail)) == explained | error


def test_every_reason_has_clippers_explanation() -> None:
    assert {reason.value: reason.explanation for reason in DefaultReason} == EXPLANATIONS


@settings(max_examples=40)
@given(error=st.text(), cause=st.text(st.characters()))
def test_refusals(error: str, cause: str) -> None:
    read = strict_loads(error_body(error, cause))
    assert read == {
        "error": error.encode(errors="replace").decode(),
        "cause": cause.encode(errors="replace").decode(),
    }
