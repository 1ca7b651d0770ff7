"""Bad input over REST: each request gets its documented answer, and the next one is served."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.frontends.cluster import Cluster, request
from tests.support.models import row_sums

MEGABYTE = 1_000_000
JSON_ERROR = "Json error"
TIMEOUT_S = 1.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    limits = ["--header-timeout-s", str(TIMEOUT_S), "--body-timeout-s", str(TIMEOUT_S)]
    with Cluster(frontend_arguments=limits) as running:
        running.serve(row_sums(), app="doubles", model="sums")
        for input_type in ("integers", "floats", "strings", "bytes"):
            running.add_app(input_type, input_type)
            running.wait_until_known(running.frontend, input_type)
        yield running


@pytest.fixture
def address(cluster: Cluster) -> Iterator[str]:
    """Return the frontend's address; afterwards it must serve a good query."""
    yield cluster.frontend.rest
    expect_good_query(cluster.frontend.rest)


def expect_good_query(address: str) -> None:
    status, body = request(address, "POST", "/doubles/predict", b'{"input": [1, 2.5]}')
    answer = json.loads(body)
    assert (status, answer["output"], answer["default"]) == (200, 3.5, False)


def expect_refusal(address: str, app: str, body: bytes, status: int = 400, error: str = JSON_ERROR) -> None:
    got, text = request(address, "POST", f"/{app}/predict", body)
    answer = json.loads(text)
    assert (got, answer["error"]) == (status, error), answer
    assert answer["cause"]


MALFORMED = {
    "nothing": b"",
    "half an object": b'{"input": [1.0',
    "not an object": b"[1.0]",
    "null": b"null",
    "something behind it": b'{"input": [1.0]} [',
    "neither input nor input_batch": b'{"inputs": [1.0]}',
    "both input and input_batch": b'{"input": [1.0], "input_batch": [[1.0]]}',
    "not UTF-8": b'{"input": [1.0], "version": "\xff\xfe"}',
    "NaN": b'{"input": [NaN]}',
    "infinity": b'{"input": [Infinity]}',
    "a number beyond any double": b'{"input": [1e999]}',
    "version is a list": b'{"input": [1.0], "version": ["1"]}',
    "input_batch is an object": b'{"input_batch": {"0": [1.0]}}',
    "input_batch of numbers": b'{"input_batch": [1.0, 2.0]}',
    "deep nesting": b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep nesting, unclosed": b'{"input": ' + b'{"a":' * 100_000,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_bodies(address: str, body: bytes) -> None:
    expect_refusal(address, "doubles", body)


@pytest.mark.parametrize(
    ("app", "value"),
    [
        ("doubles", "1.0"),
        ("doubles", 1.0),
        ("doubles", None),
        ("doubles", {}),
        ("doubles", ["1.0"]),
        ("doubles", [True]),
        ("doubles", [[1.0]]),
        ("doubles", []),
        ("integers", [None]),
        ("integers", [1.5]),
        ("integers", [2**31]),
        ("integers", [-(2**31) - 1]),
        ("integers", [10**30]),
        ("integers", []),
        ("floats", ["x"]),
        ("floats", [1e39]),
        ("floats", []),
        ("strings", 1),
        ("strings", ["a"]),
        ("bytes", "no base64!"),
        ("bytes", [1, 2]),
        ("bytes", "YQ"),
    ],
)
@pytest.mark.parametrize("batched", [False, True])
def test_wrong_inputs(address: str, app: str, value: Any, batched: bool) -> None:
    body = {"input_batch": [value, value]} if batched else {"input": value}
    expect_refusal(address, app, json.dumps(body).encode())


@pytest.mark.parametrize("app", ["doubles", "integers", "floats", "strings", "bytes"])
@given(body=st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
@settings(max_examples=40, deadline=None)
def test_random_bytes(cluster: Cluster, app: str, body: bytes) -> None:
    expect_refusal(cluster.frontend.rest, app, body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(key=st.sampled_from(["input", "input_batch", "version"]), value=_JSON)
@settings(max_examples=150, deadline=None)
def test_random_json_is_answered_or_refused_as_documented(cluster: Cluster, key: str, value: Any) -> None:
    status, text = request(
        cluster.frontend.rest, "POST", "/doubles/predict", json.dumps({key: value}).encode()
    )
    answer = json.loads(text)
    if status == 200:
        assert "output" in answer or "batch_predictions" in answer
    else:
        assert (status, answer["error"]) == (400, JSON_ERROR)
    expect_good_query(cluster.frontend.rest)


def test_different_lengths_in_one_batch_fail_no_other_query(address: str) -> None:
    status, text = request(address, "POST", "/doubles/predict", b'{"input_batch": [[1.0], [1.0, 2.0]]}')
    answers = json.loads(text)["batch_predictions"]
    assert status == 200
    assert len(answers) == 2


def test_a_million_inputs(address: str) -> None:
    expect_refusal(address, "doubles", b'{"input_batch": [' + b"[1]," * 999_999 + b"[1]]}")


def test_huge_numbers_of_digits(address: str) -> None:
    expect_refusal(address, "integers", b'{"input": [' + b"9" * MEGABYTE + b"]}")


def test_an_unknown_application(address: str) -> None:
    status, text = request(address, "POST", "/nobody/predict", b'{"input": [1.0]}')
    assert status == 404
    assert set(json.loads(text)) == {"error", "cause"}


def test_an_unknown_version(address: str) -> None:
    body = b'{"input": [1.0], "version": "no-such-version"}'
    status, text = request(address, "POST", "/doubles/predict", body)
    cause = "Requested version: no-such-version does not exist for model: sums"
    assert (status, json.loads(text)) == (400, {"error": "Query processing error", "cause": cause})


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_wrong_method(address: str, method: str) -> None:
    status, text = request(address, method, "/doubles/predict", b'{"input": [1.0]}')
    assert status == 405
    assert set(json.loads(text)) == {"error", "cause"}


@pytest.mark.parametrize(
    "update",
    [b"", b"{}", b'{"uid": "x", "input": [1.0], "label": 1}', b'{"uid": 1, "input": 3, "label": 1}'],
)
def test_malformed_feedback(address: str, update: bytes) -> None:
    status, text = request(address, "POST", "/doubles/update", update)
    assert (status, json.loads(text)["error"]) == (400, JSON_ERROR)


# -- below HTTP ----------------------------------------------------------------------------------------------


def exchange(address: str, data: bytes) -> bytes:
    """Send bytes, leave the connection open, and return all that comes until the frontend closes it."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(data)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
    return received


def head(length: int) -> bytes:
    return b"POST /doubles/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length


NOT_HTTP = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n",
    "a negative length": b"POST /doubles/predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length that is no number": b"POST /doubles/predict HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
    "a bad chunk": b"POST /doubles/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("data", NOT_HTTP.values(), ids=NOT_HTTP.keys())
def test_what_is_not_http_is_refused(address: str, data: bytes) -> None:
    assert exchange(address, data).startswith(b"HTTP/1.1 400 ")


def test_a_slow_header_is_timed_out(address: str) -> None:
    assert exchange(address, b"POST /doubles/predict HTTP/1.1\r\nHost: ").startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_is_timed_out(address: str) -> None:
    assert exchange(address, head(100) + b'{"input": ').startswith(b"HTTP/1.1 408 ")


def test_a_body_of_a_hundred_megabytes_is_refused(address: str) -> None:
    body = b'{"input": [' + b"1.0," * (25 * MEGABYTE) + b"1.0]}"
    status, text = request(address, "POST", "/doubles/predict", body)
    assert status == 413
    assert set(json.loads(text)) == {"error", "cause"}


def test_a_hundred_megabytes_in_chunks_are_refused(address: str) -> None:
    chunk = b"%x\r\n" % MEGABYTE + b"1" * MEGABYTE + b"\r\n"
    data = b"POST /doubles/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert exchange(address, data + 100 * chunk + b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_endless_headers_are_refused(address: str) -> None:
    data = b"POST /doubles/predict HTTP/1.1\r\n" + b"X-Filler: " + b"x" * (2 * MEGABYTE)
    assert exchange(address, data).startswith(b"HTTP/1.1 431 ")


def test_bad_and_good_requests_share_a_connection(address: str) -> None:
    good, bad = b'{"input": [1, 2.5]}', b"{"
    pipelined = b"".join(head(len(body)) + body for body in (good, bad, good))
    last = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = exchange(address, pipelined + last)
    assert re.findall(rb"HTTP/1\.1 (\d+)", received) == [b"200", b"400", b"200", b"200"]
