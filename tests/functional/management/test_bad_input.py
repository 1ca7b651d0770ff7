"""Bad input over HTTP: each gets a 4xx with a text that explains why, and the next good call works."""

from __future__ import annotations

import contextlib
import gzip
import json
import select
import socket
import struct
import zlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clipper_nomad.testing.rest import request
from tests.functional.compatibility.letter_management_client import LetterManagementClient
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend, eventually

CALLS = [
    "add_app",
    "delete_app",
    "get_application",
    "get_all_applications",
    "add_model_links",
    "delete_model_links",
    "get_linked_models",
    "set_policy",
    "get_policy_state",
    "get_state",
    "add_model",
    "delete_versioned_model",
    "set_model_version",
    "get_model",
    "get_all_models",
    "get_model_versions",
    "get_container",
    "get_all_containers",
    "get_all_query_frontends",
    "get_registry",
]
DEEP = b'{"name": "a", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
HUGE_NUMBER = b'{"app_name": "a", "uid": ' + b"9" * 10_000 + b"}"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = [
    *(
        "name",
        "app_name",
        "model_name",
        "model_version",
        "model_names",
        "labels",
        "input_type",
        "default_output",
    ),
    *(
        "latency_slo_micros",
        "container_name",
        "model_data_path",
        "batch_size",
        "replica_id",
        "uid",
        "verbose",
    ),
    *("on_default", "policy", "user_id", "weights"),
]
POLICY = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["default", "split", "shadow", "exp3", "mean", "exp4", "x"]),
        "arms": st.dictionaries(st.text(max_size=5), st.floats() | st.integers()) | JSON,
        "loss": st.sampled_from(["zero_one", "squared", "log"]) | JSON,
        "range": st.lists(st.floats() | st.integers(), max_size=3),
        "half_life_s": st.floats() | JSON,
        "user_rounds": st.floats() | JSON,
        "parameters": st.dictionaries(st.sampled_from(["exploration", "salt", "primary"]), JSON) | JSON,
    },
)
PLAUSIBLE = st.one_of(
    JSON, POLICY, st.text(max_size=5), st.sampled_from(["doubles", "a", "-1", 1, -1, [], ["a"], True])
)


@pytest.fixture
def client(management: ManagementFrontend) -> LetterManagementClient:
    return LetterManagementClient(management.rest)


def assert_refused(client: LetterManagementClient, name: str, body: bytes, status: int, reason: str) -> None:
    reply = client.post(name, body)
    assert reply.status == status
    assert reason in reply.text
    assert "Traceback" not in reply.text
    assert client.get("/admin/ping").text == "PONG"


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{'verbose': true}", "not valid JSON"),
        (b'{"verbose": NaN}', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"verbose": "\xff"}', "not valid JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b'"text"', "Expected `object`, got `str`"),
    ],
)
def test_bodies_that_are_no_object(
    client: LetterManagementClient, name: str, body: bytes, reason: str
) -> None:
    assert_refused(client, name, body, 400, reason)


@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith(("get_all", "get_registry"))])
def test_missing_fields_are_named(client: LetterManagementClient, name: str) -> None:
    assert_refused(client, name, b"{}", 400, "missing required field")


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("get_all_models", b'{"verbose": true} x', "The body is not valid JSON"),
        ("get_all_models", b'{"verbose": 1}', "Expected `bool`, got `int`"),
        ("get_application", DEEP, "nested too deeply"),
        ("get_state", HUGE_NUMBER, "The body is not"),
        ("get_state", b'{"app_name": "a", "uid": 1e999}', "The body is not"),
        ("get_application", b'{"name": "\\ud800"}', "The body is not valid JSON"),
    ],
)
def test_bodies_that_are_odd(client: LetterManagementClient, name: str, body: bytes, reason: str) -> None:
    assert_refused(client, name, body, 400, reason)


def test_a_body_over_the_limit_is_413(client: LetterManagementClient) -> None:
    padding = "x" * (1024 * 1024)
    assert_refused(
        client, "get_application", json.dumps({"name": padding}).encode(), 413, "larger than 1048576"
    )


def test_a_chunked_body_over_the_limit_is_413(management: ManagementFrontend) -> None:
    host, _, port = management.rest.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /admin/get_application HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(17):
            connection.sendall(chunk)
        assert b"413" in connection.recv(64)


def test_a_compressed_body_counts_as_what_it_holds(client: LetterManagementClient) -> None:
    bomb = gzip.compress(b" " * (8 * 1024 * 1024) + b"{}")
    reply = client.post("get_all_models", bomb, **{"Content-Encoding": "gzip"})
    assert reply.status == 413
    assert client.post("get_all_models", b"no gzip", **{"Content-Encoding": "gzip"}).status == 400
    assert client.post("get_all_models", gzip.compress(b"{}"), **{"Content-Encoding": "gzip"}).status == 200


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "x"])
def test_other_codings_are_415_with_those_that_are_read(client: LetterManagementClient, coding: str) -> None:
    reply = client.post("get_all_models", b"{}", **{"Content-Encoding": coding})
    assert reply.status == 415
    assert coding in reply.text


def test_a_deflated_body_is_read(client: LetterManagementClient) -> None:
    assert (
        client.post("get_all_models", zlib.compress(b"{}"), **{"Content-Encoding": "deflate"}).status == 200
    )
    cut = gzip.compress(b"{}")[:-4]
    reply = client.post("get_all_models", cut, **{"Content-Encoding": "gzip"})
    assert (reply.status, "cut off" in reply.text) == (400, True)


def ask_raw(management: ManagementFrontend, request_bytes: bytes) -> bytes:
    """Send bytes and return the beginning of the answer."""
    host, _, port = management.rest.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request_bytes)
        return connection.recv(65536)


def test_a_large_answer_is_compressed_for_a_client_that_takes_it(management: ManagementFrontend) -> None:
    asked = b"GET /admin/openapi.json HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %b\r\n\r\n"
    assert b"Content-Encoding: gzip\r\n" in ask_raw(management, asked % b"gzip")
    assert b"Content-Encoding:" not in ask_raw(management, asked % b"gzip;q=0, deflate")


@pytest.mark.parametrize("version", [b"0.9", b"2.0", b"1.2"])
def test_other_versions_of_http_are_refused(management: ManagementFrontend, version: bytes) -> None:
    answer = ask_raw(management, b"GET /admin/ping HTTP/%b\r\nHost: localhost\r\n\r\n" % version)
    assert answer.split()[:2] in ([b"HTTP/1.1", b"505"], [b"HTTP/1.0", b"400"])
    assert b"PONG" not in answer


@pytest.mark.parametrize("digits", [b"0" * 5000 + b"2", b"9" * 5000])
def test_a_length_of_thousands_of_digits_is_answered(management: ManagementFrontend, digits: bytes) -> None:
    head = b"POST /admin/get_all_models HTTP/1.1\r\nHost: localhost\r\nContent-Length: %b\r\n\r\n{}" % digits
    assert ask_raw(management, head).split()[1] in (b"200", b"400", b"413")
    assert "Traceback" not in management.log


def test_http_1_1_without_a_host_is_refused(management: ManagementFrontend) -> None:
    assert ask_raw(management, b"GET /admin/ping HTTP/1.1\r\n\r\n").split()[1] == b"400"
    assert ask_raw(management, b"GET /admin/ping HTTP/1.0\r\n\r\n").split()[1] == b"200"


def test_methods_are_named_and_no_page_may_read(management: ManagementFrontend) -> None:
    page = b"Host: localhost\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    answer = ask_raw(management, b"OPTIONS /admin/add_app HTTP/1.1\r\n" + page)
    assert b"\r\nAllow: POST, OPTIONS\r\n" in answer
    assert b"Access-Control" not in answer
    answer = ask_raw(management, b"PUT /admin/add_app HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (answer.split()[1], b"\r\nAllow: POST\r\n" in answer) == (b"405", True)


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_goes_in_the_middle_of_a_body_leaves_no_trace(
    management: ManagementFrontend, reset: bool
) -> None:
    host, _, port = management.rest.partition(":")
    counted = "clipper_management_requests_total"
    for sent in (b"{", b"x" * 200_000):
        before = management_count(management, counted)
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            head = b"POST /admin/delete_app HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n"
            connection.sendall(head + sent)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        eventually(lambda: management_count(management, counted) > before, "the request to end")  # noqa: B023
    assert "Traceback" not in management.log
    assert "Error handling request" not in management.log


@pytest.mark.parametrize("path", [b"/admin/delete_app", b"/nothing", b"/admin/ping"])
def test_a_client_that_goes_instead_of_waiting_for_100_continue_leaves_no_trace(
    management: ManagementFrontend, path: bytes
) -> None:
    host, _, port = management.rest.partition(":")
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n" % path
    answered = b"GET /admin/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(50):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(answered * 20 + head)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert request(management.rest, "GET", "/admin/ping")[0] == 200
    assert "Traceback" not in management.log
    assert "Error handling request" not in management.log


def management_count(management: ManagementFrontend, name: str) -> float:
    """Return how many calls of delete_app have ended."""
    text = request(management.rest, "GET", "/metrics")[1].decode()
    lines = [line for line in text.splitlines() if line.startswith(name) and "delete_app" in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_bodies_that_together_are_too_large_are_503_with_a_time_to_come_back(
    redis_server: RedisServer,
) -> None:
    arguments = ["--body-memory-bytes", "1500000"]
    with ManagementFrontend(redis_server.address, cluster_name="tests", arguments=arguments) as frontend:
        frontend.wait_until_listening()
        host, _, port = frontend.rest.partition(":")
        head = b"POST /admin/add_app HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"
        with contextlib.ExitStack() as stack:
            sockets = [
                stack.enter_context(socket.create_connection((host, int(port)), timeout=10)) for _ in range(2)
            ]
            for each in sockets:
                each.sendall(head + b"x" * 800_000)
            select.select(sockets, [], [], 10)
            refused = [each for each in sockets if select.select([each], [], [], 0)[0]]
            assert len(refused) == 1
            answer = refused[0].recv(65536)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: 1\r\n" in answer
        client = LetterManagementClient(frontend.rest)
        eventually(lambda: client.post("get_all_models", b" " * 900_000 + b"{}").status == 200, "its memory")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /admin/add_app HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /admin/add_app HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_malformed_http_is_400(management: ManagementFrontend, request_bytes: bytes) -> None:
    host, _, port = management.rest.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request_bytes)
        answer = connection.recv(65536)
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert b"Traceback" not in answer
    assert "Traceback" not in management.log
    assert LetterManagementClient(management.rest).get("/admin/ping").text == "PONG"


def test_a_body_that_never_comes_does_not_hold_up_others(management: ManagementFrontend) -> None:
    host, _, port = management.rest.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        slow.sendall(b"POST /admin/add_app HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
        assert LetterManagementClient(management.rest).get("/admin/ping").text == "PONG"


# The fixtures hold one running frontend, and no example changes it in a way that affects another.
any_client = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@any_client
@given(name=st.sampled_from(CALLS), body=st.binary(max_size=200))
def test_any_bytes_are_refused_or_done(client: LetterManagementClient, name: str, body: bytes) -> None:
    assert client.post(name, body).status in (200, 400)


@any_client
@given(name=st.sampled_from(CALLS), body=st.dictionaries(st.sampled_from(FIELDS), PLAUSIBLE))
@example(name="get_state", body={"app_name": "a", "uid": 2**70})
@example(name="add_model_links", body={"app_name": "\n", "model_names": ["\r\n"]})
@example(name="delete_app", body={"name": "%s\x00%d"})
def test_any_fields_are_refused_or_done(
    client: LetterManagementClient, name: str, body: dict[str, object]
) -> None:
    reply = client.call(name, **body)
    assert reply.status in (200, 400)
    assert reply.text
