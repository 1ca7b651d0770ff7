"""A real Redis server of a test or benchmark, on a free port of this machine.

Its data survives stop() and kill(). Without redis-server on PATH, tests that need it are skipped; with
CI=true they fail.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import redis

from tests.support.processes import Process

_READY_LINE = "Ready to accept connections"
_FREE_PORT_ATTEMPTS = 5


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1, and its key."""

    certificate_file: Path
    key_file: Path

    @classmethod
    def make(cls, directory: Path) -> Certificate:
        """Make a new certificate in `directory`."""
        made = cls(directory / "redis.crt", directory / "redis.key")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
        command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-keyout", str(made.key_file), "-out", str(made.certificate_file)]
        subprocess.run(command, check=True, capture_output=True)
        return made


class RedisServer:
    """One redis-server. With `certificate` it speaks only TLS. A restart keeps its port."""

    def __init__(
        self, directory: Path, *, password: str | None = None, certificate: Certificate | None = None
    ) -> None:
        require_redis_server()
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._password = password
        self._certificate = certificate
        self._port = 0
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def address(self) -> str:
        """Return the address it listens on, as `host:port`."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it with the data of its last run, and return once it answers."""
        for attempt in range(_FREE_PORT_ATTEMPTS):
            port = self._port or _free_port()
            process = Process(f"redis on port {port}", self._command(port))
            try:
                process.wait_for_line(_READY_LINE)
            except RuntimeError:
                process.kill()
                # Another process may have taken the port since it was found free.
                if self._port or attempt == _FREE_PORT_ATTEMPTS - 1:
                    raise
            else:
                self._port, self._process = port, process
                return

    def stop(self) -> None:
        """Stop it, keeping its data; do nothing if it is stopped."""
        if self._process is not None:
            self.resume()
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End it at once, as a crash does; acknowledged writes stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    @contextlib.contextmanager
    def client(self, database: int = 0) -> Iterator[Any]:
        """Return a plain client of one database, which sees what other tools would see."""
        client = redis.Redis(
            host="127.0.0.1",
            port=self._port,
            db=database,
            password=self._password,
            decode_responses=True,
            ssl=self._certificate is not None,
            ssl_ca_certs=str(self._certificate.certificate_file) if self._certificate else None,
        )
        with contextlib.closing(client):
            yield client

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.signal(number)

    def _command(self, port: int) -> list[str]:
        command = ["redis-server", "--bind", "127.0.0.1", "--dir", str(self._directory), "--save", ""]
        # Everything acknowledged is on disk, so that kill() loses none of it.
        command += ["--appendonly", "yes", "--appendfsync", "always"]
        if self._password is not None:
            command += ["--requirepass", self._password]
        if self._certificate is None:
            return [*command, "--port", str(port)]
        command += ["--tls-cert-file", str(self._certificate.certificate_file)]
        command += ["--tls-key-file", str(self._certificate.key_file), "--tls-auth-clients", "no"]
        return [*command, "--port", "0", "--tls-port", str(port)]


def require_redis_server() -> None:
    """Skip the running test if there is no redis-server, or fail it with CI=true."""
    if shutil.which("redis-server") is None:
        reason = "redis-server is not on PATH: install Redis (apt-get install redis-server)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
