"""A private package index over HTTPS on loopback, with a password and a certificate authority of its own."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import ssl
import subprocess
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

USERNAME = "reader"
PACKAGE = "clipper-tiny"
WHEEL = "clipper_tiny-1.0-py3-none-any.whl"


class PackageIndex:
    """An index with one package, `clipper-tiny` 1.0, whose module `clipper_tiny` has a VALUE of 7."""

    def __init__(self, directory: Path, password: str) -> None:
        if not shutil.which("openssl"):
            raise FileNotFoundError("openssl, which makes the index's certificate, is missing: install it")
        self.certificate = directory / "index.pem"
        key = directory / "index.key"
        command: list[str | Path] = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            key,
        ]
        command += [
            "-out",
            self.certificate,
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ]
        subprocess.run(command, check=True, capture_output=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        _Handler.authorization = "Basic " + base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        """Return the index's address, without credentials."""
        return f"https://127.0.0.1:{self._server.server_address[1]}/simple/"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    authorization = ""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != self.authorization:
            self._answer(401, b"", "WWW-Authenticate", 'Basic realm="tests"')
        elif self.path == f"/simple/{PACKAGE}/":
            digest = hashlib.sha256(make_wheel()).hexdigest()
            page = f'<html><body><a href="{WHEEL}#sha256={digest}">{WHEEL}</a></body></html>'
            self._answer(200, page.encode(), "Content-Type", "text/html")
        elif self.path.endswith(WHEEL):
            self._answer(200, make_wheel(), "Content-Type", "application/zip")
        else:
            self._answer(404, b"", "Content-Type", "text/plain")

    def _answer(self, status: int, body: bytes, header: str, value: str) -> None:
        self.send_response(status)
        self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


def make_wheel() -> bytes:
    """Return the package as a wheel."""
    buffer = io.BytesIO()
    info = "clipper_tiny-1.0.dist-info"
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {
            "clipper_tiny.py": "VALUE = 7\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": f"clipper_tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        }.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()
