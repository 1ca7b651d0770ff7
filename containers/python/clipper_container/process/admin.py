"""The admin port: /health/live, /health/ready and /metrics, served by a thread of its own."""

from __future__ import annotations

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET
from typing import Callable

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY

from clipper_container.addresses import HostPort
from clipper_container.process.exposition import Exposition

_LOG = logging.getLogger("clipper.container")
_TEXT = "text/plain; charset=utf-8"


class Health:
    """The reasons why this replica is not live or not ready; an empty text means that it is."""

    def __init__(self) -> None:
        self.not_live_reason: Callable[[], str] = lambda: ""
        self.not_ready_reason: Callable[[], str] = lambda: "the model is loading"


class AdminServer:
    """An HTTP server that answers until close()."""

    def __init__(self, host: str, port: int, health: Health) -> None:
        """Listen on `host` and `port`; 0 is any free port. Raises OSError if that fails."""
        self._server = _Server((host, port), health)
        self.address = str(HostPort(host, self._server.server_address[1]))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.25,), name="clipper-admin", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], health: Health) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.health = health
        self.exposition = Exposition(REGISTRY)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # A replica that is started again right after it was killed can bind its port again.
        self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        # HTTPServer would look up this host's name here, which can take seconds and is never used.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "clipper"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, self.server.exposition.text())
        elif path == "/health/live":
            self._answer_health(self.server.health.not_live_reason())
        elif path == "/health/ready":
            self._answer_health(self.server.health.not_ready_reason())
        else:
            self._answer(404, _TEXT, b"there are /health/live, /health/ready and /metrics here\n")

    def _answer_health(self, reason: str) -> None:
        self._answer(503 if reason else 200, _TEXT, (reason or "ok").encode(errors="replace"))

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        _LOG.debug("admin: " + format, *args)
