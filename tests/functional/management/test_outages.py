"""The management frontend while Redis is away, at its start and at its end."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.compatibility.letter_management_client import LetterManagementClient
from tests.functional.conftest import CLUSTER_NAME, RedisFactory
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import BIN, ManagementFrontend, Process

#: The allowance for a busy machine.
NOISE_S = 1.0
READS_AND_WRITES: list[tuple[str, dict[str, Any]]] = [
    ("get_all_applications", {"verbose": True}),
    ("get_model", {"model_name": "m", "model_version": "1"}),
    ("delete_app", {"name": "a"}),
]


@pytest.fixture
def server(make_redis_server: RedisFactory) -> RedisServer:
    return make_redis_server()


@pytest.fixture
def frontend(server: RedisServer) -> Iterator[ManagementFrontend]:
    with ManagementFrontend(server.address, cluster_name=CLUSTER_NAME) as started:
        started.wait_until_listening()
        yield started


@pytest.fixture
def client(frontend: ManagementFrontend) -> LetterManagementClient:
    return LetterManagementClient(frontend.rest)


def start(server: RedisServer, *arguments: str) -> Process:
    command: list[str | Path] = [
        BIN / "clipper-management-frontend",
        "--redis",
        server.address,
        "--port",
        "0",
        *arguments,
    ]
    return Process("management frontend", command)


def test_while_redis_is_stopped_calls_are_503(server: RedisServer, client: LetterManagementClient) -> None:
    client.add_app("a")
    server.stop()
    for name, body in READS_AND_WRITES:
        reply = client.call(name, **body)
        assert reply.status == 503
        assert "Redis" in reply.text
        assert reply.headers["retry-after"] == "1"
    assert client.get("/health/ready").status == 503
    assert client.get("/health/live").status == 200
    assert client.get("/admin/ping").text == "PONG"
    server.start()
    assert client.call("get_all_applications").json == ["a"]
    assert client.get("/health/ready").status == 200


def test_while_redis_is_silent_calls_are_503_within_three_seconds(
    server: RedisServer, client: LetterManagementClient
) -> None:
    client.add_app("a")
    server.pause()
    for name, body in READS_AND_WRITES:
        started_s = time.monotonic()
        assert client.call(name, **body).status == 503
        assert time.monotonic() - started_s < 3.0 + NOISE_S
    server.resume()
    assert client.get("/health/ready").status == 200


def test_it_waits_for_redis_at_the_start(server: RedisServer) -> None:
    server.stop()
    with ManagementFrontend(server.address, cluster_name=CLUSTER_NAME) as frontend:
        frontend.wait_until_listening()
        frontend.wait_for_line("waiting for Redis: ")
        client = LetterManagementClient(frontend.rest)
        assert client.get("/health/ready").status == 503
        assert client.get("/health/live").status == 200
        assert client.call("get_all_models").status == 503
        server.start()
        frontend.wait_for_line("joined cluster")
        assert client.get("/health/ready").status == 200
        assert client.call("get_all_models").json == []


def test_another_clusters_redis_is_refused(server: RedisServer) -> None:
    with server.client(6) as redis:
        redis.set("CLUSTER_NAME", "theirs")
    with start(server, "--cluster-name", "mine") as process:
        assert process.wait() == 2
    assert "belongs to cluster 'theirs', not 'mine'" in process.log.splitlines()[-1]


def test_sigterm_drains_and_exits_0(server: RedisServer) -> None:
    with start(server, "--drain-delay-s", "2") as process:
        address = process.wait_for_line(r"listening: rest=(\S+)")[1]
        process.wait_for_line("joined cluster")
        client = LetterManagementClient(address)
        assert client.call("get_all_models").status == 200
        process.signal(signal.SIGTERM)
        process.wait_for_line("draining")
        reply = client.get("/health/ready")
        assert (reply.status, "draining" in reply.text) == (503, True)
        assert client.call("get_all_models").status == 200
        assert process.wait() == 0


def test_what_is_in_work_at_the_end_is_finished(server: RedisServer) -> None:
    with start(server, "--drain-delay-s", "0") as process:
        address = process.wait_for_line(r"listening: rest=(\S+)")[1]
        process.wait_for_line("joined cluster")
        body = b'{"verbose": false}'
        with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as connection:
            connection.putrequest("POST", "/admin/get_all_models")
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body[:5])
            # The first bytes have arrived, since a later request has been answered.
            assert LetterManagementClient(address).get("/admin/ping").text == "PONG"
            process.signal(signal.SIGTERM)
            process.wait_for_line("draining")
            connection.send(body[5:])
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"[]")
        assert process.wait() == 0


def test_a_body_that_does_not_come_is_408(server: RedisServer) -> None:
    with start(server, "--body-timeout-s", "0.2") as process:
        address = process.wait_for_line(r"listening: rest=(\S+)")[1]
        with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as connection:
            connection.putrequest("POST", "/admin/get_all_models")
            connection.putheader("Content-Length", "10")
            connection.endheaders(b"{")
            response = connection.getresponse()
            assert (response.status, response.read()) == (408, b"The body did not arrive within 0.2 s")
        assert LetterManagementClient(address).call("get_all_models").status == 200


def test_health_and_metrics_have_a_port_of_their_own(server: RedisServer) -> None:
    with start(server, "--admin-port", "0") as process:
        admin = process.wait_for_line(r"listening: rest=\S+ admin=(\S+)")[1]
        client = LetterManagementClient(admin)
        assert client.get("/health/live").text == "ok"
        assert "clipper_management_requests_total" in client.get("/metrics").text
        assert client.call("get_all_models").status == 404


def test_a_port_that_is_taken_ends_it_with_code_1(frontend: ManagementFrontend, server: RedisServer) -> None:
    with start(server, "--port", frontend.rest.rpartition(":")[2]) as process:
        assert process.wait() == 1
    assert "could not listen" in process.log


def test_bad_settings_end_it_with_code_2() -> None:
    command: list[str | Path] = [BIN / "clipper-management-frontend", "--redis", "nowhere"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert ended.returncode == 2
    assert "nowhere" in ended.stderr


def test_records_are_one_line_each(frontend: ManagementFrontend, client: LetterManagementClient) -> None:
    client.get("/admin/ping")
    pattern = (
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO clipper\.management listening: rest=127\.0\.0\.1:\d+$"
    )
    assert frontend.wait_for_line(pattern).group()
