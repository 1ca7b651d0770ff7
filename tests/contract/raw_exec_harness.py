"""The contract suite's harness for Nomad nodes that run no images: processes, and archives of models."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from clipper_nomad.managers.nomad.drivers import RawExecDriver
from tests.contract.nomad_harness import NomadHarness
from tests.support.nomad.cluster import NomadCluster


class RawExecHarness(NomadHarness):
    """A cluster of processes on a real Nomad; it serves models' archives from `directory`."""

    def __init__(self, cluster: NomadCluster, directory: Path, **settings: Any) -> None:
        self._archives = ArchiveServer(cluster.address, directory)
        super().__init__(
            cluster,
            **{
                "driver": RawExecDriver(),
                "artifact_dir": directory,
                "artifact_url": self._archives.url,
                **settings,
            },
        )

    def __enter__(self) -> Self:
        self._archives.__enter__()
        return super().__enter__()

    def __exit__(self, *exception: object) -> None:
        try:
            super().__exit__(*exception)
        finally:
            self._archives.__exit__(*exception)

    def kill(self, part: str) -> None:
        for pid in _find_pids(self.await_running(part)["ID"]):
            # A process may end with another one.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pids(self, part: str | None = None) -> list[int]:
        """Return the ids of all processes of the cluster's allocations, or of one part's."""
        found = [each["ID"] for name, each in self.allocations().items() if part in (None, name)]
        return [pid for each in found for pid in _find_pids(each)]


class ArchiveServer:
    """Serves a folder over HTTP, at an address that Nomad's clients reach."""

    def __init__(self, host: str, directory: Path) -> None:
        handler = functools.partial(_Handler, directory=str(directory))
        self._server = ThreadingHTTPServer((host, 0), handler)
        self.url = f"http://{host}:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


def _find_pids(allocation: str) -> list[int]:
    """Return the processes that work in an allocation's folder: Redis overwrites its environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if f"/{allocation}/" in f"{(folder / 'cwd').readlink()}/":
                    found.append(int(folder.name))
    return found
