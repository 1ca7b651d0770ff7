"""The product's processes, started for real on free ports of this machine.

They are started by their commands, watched by their logs, and never imported. A frontend listens once it has
logged its addresses.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from clipper_nomad.testing.waiting import eventually
from tests.support.paths import LETTER

__all__ = [
    "BIN",
    "LETTER_CONTAINER",
    "START_TIMEOUT_S",
    "STOP_TIMEOUT_S",
    "Container",
    "ManagementFrontend",
    "Process",
    "QueryFrontend",
    "eventually",
]

BIN = Path(sys.executable).parent
LETTER_CONTAINER = LETTER / "letter_container.py"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


def _surroundings() -> dict[str, str]:
    """Return this process's environment without the settings of the product's processes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLIPPER_")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


class Process:
    """A process whose log is read while it runs."""

    def __init__(
        self, name: str, arguments: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._popen = subprocess.Popen(
            [str(argument) for argument in arguments],
            env={**_surroundings(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name=f"log of {name}", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._popen.pid

    @property
    def log(self) -> str:
        """Return the process's output so far."""
        with self._changed:
            return "".join(self._lines)

    @property
    def rss_bytes(self) -> int:
        """Return the memory that the process holds now."""
        resident_pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return resident_pages * os.sysconf("SC_PAGE_SIZE")

    def wait_for_line(self, pattern: str, timeout_s: float = START_TIMEOUT_S) -> re.Match[str]:
        """Return the match of the first logged line that holds `pattern`.

        Raises RuntimeError, with the log, if the process ends or the time passes before that.
        """
        deadline_s = time.monotonic() + timeout_s
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if found := re.search(pattern, line):
                        return found
                seen = len(self._lines)
                left_s = deadline_s - time.monotonic()
                if self._ended or left_s <= 0:
                    raise RuntimeError(f"{self.name} never logged {pattern!r}:\n{''.join(self._lines[-40:])}")
                self._changed.wait(left_s)

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Return the exit status once the process has ended by itself."""
        status = self._popen.wait(timeout_s)
        self._reader.join()
        return status

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Ask the process to end (SIGTERM) and return its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """End the process at once, as `kill -9` does. Ended processes are left alone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; to an ended process this does nothing."""
        self._popen.send_signal(number)

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class QueryFrontend(Process):
    """A query frontend. `rest`, `rpc` and `admin` are the addresses where it listens, as `host:port`."""

    def __init__(
        self, redis: str, *, cluster_name: str, port: int = 0, arguments: Sequence[str] = ()
    ) -> None:
        self.id = uuid.uuid4().hex[:8]
        command: list[str | Path] = [BIN / "clipper-query-frontend", "--redis", redis]
        command += ["--cluster-name", cluster_name]
        command += ["--frontend-id", self.id, "--port", str(port), "--rpc-port", "0", "--admin-port", "0"]
        command += ["--drain-delay-s", "0", *arguments]
        super().__init__(f"query frontend {self.id}", command)

    def wait_until_listening(self) -> None:
        """Return once the addresses are known."""
        line = self.wait_for_line(r"listening: rest=(\S+) rpc=(\S+) admin=(\S+)")
        self.rest, self.rpc, self.admin = line.groups()


class ManagementFrontend(Process):
    """A management frontend, which listens at `rest`, a `host:port`."""

    def __init__(self, redis: str, *, cluster_name: str, arguments: Sequence[str] = ()) -> None:
        command: list[str | Path] = [BIN / "clipper-management-frontend", "--redis", redis, "--port", "0"]
        super().__init__("management frontend", [*command, "--cluster-name", cluster_name, *arguments])

    def wait_until_listening(self) -> None:
        """Return once the address is known."""
        self.rest = self.wait_for_line(r"listening: rest=(\S+)")[1]


class Container(Process):
    """A replica of a model: the product's own runtime, or the container written to the letter (`letter`)."""

    def __init__(self, environment: Mapping[str, str], *, letter: bool = False) -> None:
        self.instance_id = uuid.uuid4().hex[:8]
        command: list[str | Path] = [BIN / "clipper-container"]
        if letter:
            command = [sys.executable, LETTER_CONTAINER]
        everything = {
            "CLIPPER_INSTANCE_ID": self.instance_id,
            "CLIPPER_ADMIN_HOST": "127.0.0.1",
            "CLIPPER_ADMIN_PORT": "0",
            **environment,
        }
        super().__init__(f"container {self.instance_id}", command, everything)
