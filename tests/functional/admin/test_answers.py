"""The admin library with a management frontend that does not answer, or answers something unexpected."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from clipper_nomad.errors import ManagementError, NotReachableError
from clipper_nomad.management import ManagementClient
from clipper_nomad.types import ModelVersion


class OddServer(http.server.ThreadingHTTPServer):
    """Answers every request with the same status and body."""

    status = 200
    body = b""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: OddServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(("127.0.0.1", 0), _Handler) as odd:
        thread = threading.Thread(target=odd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield odd
        odd.shutdown()
        thread.join()


def test_no_answer_names_the_address_and_what_was_asked() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unheard.getsockname()[1]}"
        with pytest.raises(
            NotReachableError, match=f"at {address} did not answer /admin/delete_app"
        ) as caught:
            ManagementClient(lambda: address).delete_app("app")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (400, b"No such application\n", ManagementError, r"^No such application$"),
        (400, b"", ManagementError, "status 400: no text"),
        (503, b"Redis is away", NotReachableError, "could not serve /admin/get_model: Redis is away"),
        (500, b"oops", ManagementError, "answered /admin/get_model with status 500: oops"),
        (200, b"not JSON", ManagementError, "did not answer JSON but 'not JSON'"),
        (200, b"[]", ManagementError, "instead of an object"),
    ],
)
def test_other_answers_become_errors(
    server: OddServer, status: int, body: bytes, error: type[ManagementError], message: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(ManagementError, match=message) as caught:
        ManagementClient(lambda: server.address).get_model(ModelVersion("m", "1"))
    assert type(caught.value) is error


def test_an_object_is_no_list(server: OddServer) -> None:
    server.body = b"{}"
    with pytest.raises(ManagementError, match="instead of a list"):
        ManagementClient(lambda: server.address).list_models()


def test_a_proxy_for_the_internet_is_not_used(server: OddServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.body = b"[]"
    assert ManagementClient(lambda: server.address).list_models() == []
