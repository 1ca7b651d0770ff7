"""REST calls of a deployment, counted on their way to a management frontend."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers.python import create_endpoint
from clipper_nomad.errors import ClipperException
from clipper_nomad.testing import RecordingManager
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend

_TIMEOUT_S = 10


class CountingServer(http.server.ThreadingHTTPServer):
    """Forwards every call to a management frontend, and keeps the calls' names in `calls`."""

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.calls: list[str] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: CountingServer

    def do_POST(self) -> None:
        self.server.calls.append(self.path.removeprefix("/admin/"))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(f"http://{self.server.target}{self.path}", body, timeout=_TIMEOUT_S)
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class CountingVersion:
    """A whole number that counts how often it is read."""

    reads = 0

    def __index__(self) -> int:
        self.reads += 1
        return 1


@pytest.fixture
def server(management: ManagementFrontend) -> Iterator[CountingServer]:
    with CountingServer(management.rest) as counting:
        thread = threading.Thread(target=counting.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield counting
        counting.shutdown()
        thread.join()


@pytest.fixture
def clipper(server: CountingServer, redis_server: RedisServer) -> ClipperConnection:
    connection = ClipperConnection(RecordingManager(server.address, redis_server.address))
    connection.connect()
    return connection


def test_a_deployment_asks_once_whether_its_version_is_registered(
    clipper: ClipperConnection, server: CountingServer, tmp_path: Path
) -> None:
    clipper.build_and_deploy_model("sum", 1, "doubles", tmp_path, "default")
    assert server.calls == ["get_model", "get_all_query_frontends", "add_model"]


def test_a_registered_version_is_refused_after_one_question(
    clipper: ClipperConnection, server: CountingServer, tmp_path: Path
) -> None:
    clipper.register_model("sum", 1, "doubles")
    server.calls.clear()
    with pytest.raises(ClipperException, match="sum:1 is registered already"):
        clipper.build_and_deploy_model("sum", 1, "doubles", tmp_path, "default")
    assert server.calls == ["get_model"]


def test_an_endpoint_asks_for_its_application_and_its_model_once(
    clipper: ClipperConnection, server: CountingServer
) -> None:
    create_endpoint(clipper, "sum", "doubles", len)
    assert server.calls == [
        "get_application",
        "get_model",
        "get_all_query_frontends",
        "add_model",
        "add_app",
        "add_model_links",
    ]


def test_a_version_is_parsed_once(clipper: ClipperConnection, tmp_path: Path) -> None:
    version = CountingVersion()
    clipper.build_and_deploy_model("sum", version, "doubles", tmp_path, "default")  # type: ignore[arg-type]
    assert version.reads == 1
