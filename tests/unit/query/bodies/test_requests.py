"""The decoders against json and numpy, and the table of what they refuse."""

from __future__ import annotations

import base64
import json
import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clipper_container.input_types import InputType
from clipper_frontend.query.bodies.refusals import BadRequest
from clipper_frontend.query.bodies.requests import FeedbackDecoder, PredictDecoder

B, I, F, D, S = InputType.BYTES, InputType.INTEGERS, InputType.FLOATS, InputType.DOUBLES, InputType.STRINGS  # noqa: E741
DTYPES = {I: "<i4", F: "<f4", D: "<f8"}
ELEMENTS = {
    I: st.integers(-(2**31), 2**31 - 1),
    F: st.floats(width=32, allow_nan=False, allow_infinity=False),
    D: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MAX_INPUTS = 100
DECODERS = {input_type: PredictDecoder(input_type, MAX_INPUTS) for input_type in InputType}


def inputs_of(input_type: InputType) -> st.SearchStrategy[Any]:
    """Return inputs as JSON has them."""
    if input_type is S:
        return TEXTS
    if input_type is B:
        return st.binary(min_size=1).map(lambda value: base64.b64encode(value).decode())
    return st.lists(ELEMENTS[input_type], min_size=1)


def model_bytes(input_type: InputType, value: Any) -> bytes:
    if input_type is S:
        return str(value).encode()
    if input_type is B:
        return base64.b64decode(value)
    return np.array(value, dtype=DTYPES[input_type]).tobytes()


@settings(max_examples=30)
@given(data=st.data(), input_type=st.sampled_from(InputType), ascii_only=st.booleans())
def test_one_input(data: st.DataObject, input_type: InputType, ascii_only: bool) -> None:
    value = data.draw(inputs_of(input_type))
    body = json.dumps({"input": value}, ensure_ascii=ascii_only).encode()
    request = DECODERS[input_type].decode(body)
    assert list(request.inputs) == [model_bytes(input_type, value)]
    assert (request.is_batch, request.version) == (False, None)


@settings(max_examples=30)
@given(data=st.data(), input_type=st.sampled_from(InputType))
def test_batches(data: st.DataObject, input_type: InputType) -> None:
    values = data.draw(st.lists(inputs_of(input_type), max_size=5))
    request = DECODERS[input_type].decode(json.dumps({"input_batch": values}).encode())
    assert list(request.inputs) == [model_bytes(input_type, value) for value in values]
    assert request.is_batch == (len(values) != 1)


@settings(max_examples=30)
@given(
    data=st.data(),
    input_type=st.sampled_from([I, F, D, S]),
    uid=st.integers(-(2**63), 2**63 - 1),
    label=ELEMENTS[D],
)
def test_feedback(data: st.DataObject, input_type: InputType, uid: int, label: float) -> None:
    value = data.draw(inputs_of(input_type))
    body = json.dumps({"label": label, "input": value, "uid": uid}).encode()
    feedback = FeedbackDecoder(input_type).decode(body)
    assert (feedback.user, feedback.input) == (str(uid), model_bytes(input_type, value))
    assert (feedback.query_id, feedback.label) == (None, label)


@st.composite
def near_requests(draw: st.DrawFn) -> bytes:
    """Return bodies that look like requests, with anything in the places of values, some of them cut."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
    values = st.recursive(
        scalars, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=10
    )
    keys = st.sampled_from(["input", "input_batch", "version", "uid", "label", "other"])
    body = json.dumps(draw(st.dictionaries(keys, values))).encode()
    return body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body


@settings(max_examples=30)
@given(body=st.one_of(st.binary(), near_requests()), input_type=st.sampled_from(InputType))
@example(body=b'{"x":' + b"[" * 100_000, input_type=D)
@example(body=b'{"input":' + b"[" * 100_000, input_type=D)
@example(body=b'{"x":' + b'{"x":' * 100_000, input_type=S)
@example(body=b'{"version":"\xff"}', input_type=D)
@example(body=b'{"input":"\\ud800"}', input_type=S)
@example(body=b'{"version":' + b"9" * 10_000 + b"}", input_type=D)
def test_any_body_is_decoded_or_refused(body: bytes, input_type: InputType) -> None:
    for decoder in (DECODERS[input_type], FeedbackDecoder(input_type)):
        try:
            decoder.decode(body)
        except BadRequest as refusal:
            assert refusal.cause


@pytest.mark.parametrize(
    ("input_type", "body", "cause"),
    [
        (D, "", "the body is empty: expected a JSON object"),
        (D, "[1]", "Expected `object`, got `array`"),
        (D, '{"input":[1,2', "Input data was truncated"),
        (D, '{"input":[1]} x', "trailing characters"),
        (D, "{}", "the key input (one input) or input_batch (a list of inputs) is missing"),
        (D, '{"input":[1],"input_batch":[[1]]}', "give either input or input_batch, not both"),
        (D, '{"input":[1,"2"]}', "input[1]: Expected `float | null`, got `str`"),
        (D, '{"input":[null,"2"]}', "input[1]: Expected `float | null`, got `str`"),
        (D, '{"input":[true]}', "input[0]: Expected `float | null`, got `bool`"),
        (D, '{"input":[[1]]}', "input[0]: Expected `float | null`, got `array`"),
        (D, '{"input":1}', "input: Expected `array`, got `int`"),
        (D, '{"input":null}', "input: Expected `array`, got `null`"),
        (D, '{"input":[NaN]}', "JSON is malformed: invalid character"),
        (D, '{"input":[Infinity]}', "JSON is malformed: invalid character"),
        (D, '{"input":[1e999]}', "input[0]: Number out of range"),
        (D, '{"input":[]}', "input is empty: expected an array of numbers"),
        (D, '{"input_batch":[[1],[]]}', "input_batch[1] is empty: expected an array of numbers"),
        (D, '{"input_batch":[[1],null]}', "input_batch[1]: Expected `array`, got `null`"),
        (D, '{"input_batch":[1]}', "input_batch[0]: Expected `array`, got `int`"),
        (D, '{"input_batch":{}}', "input_batch: Expected `array`, got `object`"),
        (D, '{"input":[1],"version":true}', "version: Expected `int | str`, got `bool`"),
        (D, '{"input":[1],"version":1.5}', "version: Expected `int | str`, got `float`"),
        (D, '{"input":[1],"version":null}', "version: Expected `int | str`, got `null`"),
        (D, '{"input":[1],"version":["1"]}', "version: Expected `int | str`, got `array`"),
        (F, '{"input":[1,1e300]}', "input[1]: the number is out of the range of a float32"),
        (
            F,
            '{"input_batch":[[1],[2,-3.5e38]]}',
            "input_batch[1][1]: the number is out of the range of a float32",
        ),
        (I, '{"input":[1,null]}', "input[1]: Expected `int`, got `null`: there are no missing integers"),
        (
            I,
            '{"input_batch":[[null]]}',
            "input_batch[0][0]: Expected `int`, got `null`: there are no missing",
        ),
        (F, '{"input":[null,1e300]}', "input[1]: the number is out of the range of a float32"),
        (S, '{"input":"\\ud83d"}', "the text \\ud83d is half of a surrogate pair: send whole characters"),
        (S, '{"input":"\\\\\\udc00x"}', "the text \\udc00 is half of a surrogate pair"),
        (S, '{"input":"a","user_id":"\\ud83d\\ud83d"}', "the text \\ud83d is half of a surrogate pair"),
        (S, '{"input":"\\\\ud83d', "Input data was truncated"),
        (I, '{"input":[1.0]}', "input[0]: Expected `int`, got `float`"),
        (I, '{"input":[2147483648]}', "input[0]: Expected `int` <= 2147483647"),
        (I, '{"input":[-2147483649]}', "input[0]: Expected `int` >= -2147483648"),
        (I, '{"input":[99999999999999999999]}', "input[0]: Expected `int` <= 2147483647"),
        (B, '{"input":""}', "input is empty: expected a base64 string"),
        (B, '{"input":"YQ"}', "input: Invalid base64 encoded string"),
        (B, '{"input":[97]}', "input: Expected `bytes`, got `array`"),
        (B, '{"input_batch":["YQ==",""]}', "input_batch[1] is empty: expected a base64 string"),
        (S, '{"input":["a"]}', "input: Expected `str`, got `array`"),
        (S, '{"input":1}', "input: Expected `str`, got `int`"),
    ],
)
def test_refusals_say_where_and_what(input_type: InputType, body: str, cause: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        DECODERS[input_type].decode(body.encode())
    assert cause in refusal.value.cause


NAN = float("nan")


@pytest.mark.parametrize(
    ("input_type", "key", "value", "inputs"),
    [
        (D, "input", [1.0, None, 0], [[1.0, NAN, 0.0]]),
        (F, "input", [None], [[NAN]]),
        (D, "input_batch", [[1.0], [None, 2.0]], [[1.0], [NAN, 2.0]]),
        (F, "input_batch", [[None, None], [0.5]], [[NAN, NAN], [0.5]]),
        (D, "input", [None] * 5000, [[NAN] * 5000]),
    ],
)
def test_a_null_in_place_of_a_number_is_a_missing_number(
    input_type: InputType, key: str, value: Any, inputs: list[list[float]]
) -> None:
    wanted = [np.array(each, dtype=DTYPES[input_type]).tobytes() for each in inputs]
    assert list(DECODERS[input_type].decode(json.dumps({key: value}).encode()).inputs) == wanted
    if key == "input":
        feedback = {"uid": 1, "label": None, "input": value}
        assert FeedbackDecoder(input_type).decode(json.dumps(feedback).encode()).input == wanted[0]


def test_nulls_of_members_that_may_be_null_need_no_missing_numbers() -> None:
    request = DECODERS[D].decode(b'{"input":[1,null],"user_id":null,"uid":7}')
    assert (list(request.inputs), request.user) == ([struct.pack("<2d", 1, NAN)], "7")


@pytest.mark.parametrize("body", [b'{"input":[1]}', b'{"input_batch":[[1]]}'])
def test_a_byte_order_mark_before_a_body_is_ignored(body: bytes) -> None:
    mark = b"\xef\xbb\xbf"
    assert list(DECODERS[D].decode(mark + body).inputs) == [struct.pack("<d", 1)]
    feedback = mark + b'{"uid":1,"label":1,"input":[1]}'
    assert FeedbackDecoder(D).decode(feedback).input == struct.pack("<d", 1)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ('{"input":[1],"label":1}', "the key query_id is missing, or uid (or user_id) with input"),
        ('{"uid":1,"label":1}', "the key input is missing, or query_id instead of it"),
        ('{"uid":1,"input":[1]}', "missing required field `label`"),
        ('{"uid":"1","input":[1],"label":1}', "uid: Expected `int | null`, got `str`"),
        ('{"uid":1.0,"input":[1],"label":1}', "uid: Expected `int | null`, got `float`"),
        ('{"user_id":"","input":[1],"label":1}', "user_id: Expected `str` of length >= 1"),
        ('{"uid":1,"input":[],"label":1}', "input is empty"),
        ('{"query_id":9007199254740992,"label":1}', "query_id: Expected `int` <= 9007199254740991"),
        ('{"query_id":"1","label":1}', "query_id: Expected `int | null`, got `str`"),
    ],
)
def test_feedback_refusals(body: str, cause: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        FeedbackDecoder(D).decode(body.encode())
    assert cause in refusal.value.cause


def test_bad_utf8_and_deep_nesting_are_named() -> None:
    with pytest.raises(BadRequest, match="not UTF-8"):
        DECODERS[S].decode(b'{"input":"\xff"}')
    with pytest.raises(BadRequest, match="nested too deep"):
        DECODERS[S].decode(b'{"x":' + b"[" * 100_000)


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ('{"input":[1],"version":"v1"}', "v1"),
        ('{"input":[1],"version":1}', "1"),
        ('{"version":"","input":[1]}', ""),
    ],
)
def test_version(body: str, version: str) -> None:
    assert DECODERS[D].decode(body.encode()).version == version


@pytest.mark.parametrize(
    ("body", "user"),
    [
        ('{"input":[1]}', None),
        ('{"input":[1],"user_id":"ann"}', "ann"),
        ('{"input":[1],"user_id":7}', "7"),
        ('{"input":[1],"uid":-7}', "-7"),
        ('{"input_batch":[[1],[2]],"uid":7}', "7"),
        ('{"input":[1],"uid":7,"user_id":"ann"}', "ann"),
    ],
)
def test_user(body: str, user: str | None) -> None:
    assert DECODERS[D].decode(body.encode()).user == user


def test_feedback_by_query_id() -> None:
    feedback = FeedbackDecoder(D).decode(b'{"query_id":9007199254740991,"label":"cat"}')
    assert (feedback.query_id, feedback.user, feedback.input, feedback.label) == (
        2**53 - 1,
        None,
        None,
        "cat",
    )


def test_unknown_keys_are_ignored_and_the_last_of_equal_ones_counts() -> None:
    request = DECODERS[D].decode(b'{"input":[1],"x":{"input_batch":[[9]]},"input":[2,3]}')
    assert list(request.inputs) == [struct.pack("<2d", 2, 3)]


def test_inputs_of_different_lengths_and_empty_strings() -> None:
    assert list(DECODERS[I].decode(b'{"input_batch":[[1],[2,3]]}').inputs) == [
        struct.pack("<i", 1),
        struct.pack("<2i", 2, 3),
    ]
    assert list(DECODERS[S].decode(b'{"input":""}').inputs) == [b""]


@pytest.mark.parametrize("length", [4095, 4096, 4097, 20_000])
def test_long_inputs(length: int) -> None:
    values = list(range(length))
    for _ in range(2):
        request = DECODERS[D].decode(json.dumps({"input": values}).encode())
        assert request.inputs[0] == np.array(values, dtype="<f8").tobytes()


@pytest.mark.parametrize(("input_type", "one"), [(D, "[1]"), (S, '"ab"'), (S, '"\\"\\\\"'), (B, '"YQ=="')])
def test_number_of_inputs_is_limited(input_type: InputType, one: str) -> None:
    def decode(count: int) -> int:
        body = b'{"input_batch":[%b]}' % b",".join([one.encode()] * count)
        return len(DECODERS[input_type].decode(body).inputs)

    assert decode(MAX_INPUTS) == MAX_INPUTS
    for count in (MAX_INPUTS + 1, 50 * MAX_INPUTS):
        with pytest.raises(BadRequest, match=f"at most {MAX_INPUTS} inputs"):
            decode(count)


@pytest.mark.parametrize(("input_type", "one"), [(D, b"[1],"), (S, b'"ab",')])
def test_a_million_inputs_are_refused_without_decoding_them(input_type: InputType, one: bytes) -> None:
    body = b'{"input_batch":[' + one * 1_000_000
    began_s = time.perf_counter()
    # The body is cut off: a decoder that reads it all complains of that.
    with pytest.raises(BadRequest, match="at most 10000 inputs"):
        PredictDecoder(input_type, 10_000).decode(body)
    assert time.perf_counter() - began_s < 1


def test_text_full_of_quotes_and_brackets_is_one_input() -> None:
    text = '["' * 10_000
    assert list(DECODERS[S].decode(json.dumps({"input": text}).encode()).inputs) == [text.encode()]
