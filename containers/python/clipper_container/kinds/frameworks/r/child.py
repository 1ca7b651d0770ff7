"""The R process of a replica: started, asked, and its end explained.

It reads requests from one pipe, and writes answers into another. Its standard output and error are the
replica's, so what the user's code prints is in the replica's log. It ends with the replica, however that
ends.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Optional

from clipper_container.kinds.frameworks.r.frames import pack_request, read_answer
from clipper_container.model import Inputs, ModelLoadError, Outputs

#: The time to load the model: less than a deployment waits by default, so that the log has the reason.
START_TIMEOUT_S = 240.0
_LAUNCH = Path(__file__).with_name("launch.py")
_SERVE = Path(__file__).with_name("serve.R")
#: A process that R has started may keep the pipe open when R is gone.
_TICK_S = 1.0
#: By precedence.
_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")
_END_PATIENCE_S = 5.0


class RProcessEnded(Exception):  # noqa: N818 - it is no error of the model's input
    """The R process ended while it had a batch, or before it could take one."""


class RProcess:
    """One R process with a model. One thread at a time uses it."""

    def __init__(self, model: Path, *, warm_up: bool) -> None:
        """Start the process, without waiting for it. Raises ModelLoadError if there is no R."""
        rscript = shutil.which("Rscript")
        if rscript is None:
            raise ModelLoadError(
                "the model is one of R's, and there is no Rscript on PATH here: install R where the replicas "
                "run (Debian: apt-get install r-base-core r-cran-jsonlite), or name a base_image that has R "
                "and clipper-container"
            )
        requests, write_end = os.pipe()
        self._requests: Optional[int] = write_end
        self._answers, answers = os.pipe()
        numbers = [str(requests), str(answers)]
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-IS", str(_LAUNCH), str(os.getpid())),
                *(rscript, "--vanilla", str(_SERVE), *numbers, str(model), str(int(warm_up))),
            ],
            pass_fds=(requests, answers),
            env=_environment(),
        )
        os.close(requests)
        os.close(answers)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._ready_by = time.monotonic() + START_TIMEOUT_S
        self._is_ready = False

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        return self._process.poll() is not None

    def wait_ready(self) -> None:
        """Wait until the model is loaded. Raises RError if R cannot load it, RProcessEnded if R ends."""
        if not self._is_ready:
            read_answer(self._read)
            self._is_ready = True

    def ask(self, inputs: Inputs) -> Outputs:
        """Return the outputs of a batch. Raises RError, RProcessEnded, and ValueError for an input."""
        request = memoryview(pack_request(inputs))
        try:
            while request and self._requests is not None:
                request = request[os.write(self._requests, request) :]
        except BrokenPipeError:
            raise RProcessEnded(self.explain_end()) from None
        return read_answer(self._read)

    def hang_up(self) -> None:
        """Close the pipe of requests: the process ends once it has answered."""
        if self._requests is not None:
            os.close(self._requests)
            self._requests = None

    def close(self) -> None:
        """End the process, which may be within a batch."""
        self.hang_up()
        os.close(self._answers)
        self._process.kill()
        self._process.wait()

    def _read(self, count: int) -> bytearray:
        data = bytearray()
        while len(data) < count:
            self._wait_for_data()
            part = os.read(self._answers, count - len(data))
            if not part:
                raise RProcessEnded(self.explain_end())
            data += part
        return data

    def _wait_for_data(self) -> None:
        while not self._poll.poll(_TICK_S * 1000):
            if self.has_ended and not self._poll.poll(0):
                raise RProcessEnded(self.explain_end())
            if not self._is_ready and time.monotonic() > self._ready_by:
                raise RProcessEnded(f"R has not loaded the model within {START_TIMEOUT_S:g} s")

    def explain_end(self) -> str:
        """Return how the process ended, once it has, or has closed its pipe."""
        try:
            status = self._process.wait(_END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return "the R process closed its pipe to the replica: the model's code closes all connections"
        if status >= 0:
            return f"the R process ended itself with exit status {status}: the model's code calls quit()"
        name = signal.Signals(-status).name
        hint = ", as the kernel does when memory runs out" if -status == signal.SIGKILL else ""
        return f"the R process was killed by signal {-status} ({name}){hint}"


def _environment() -> dict[str, str]:
    """Return the variables of the R process: in the locale C, R would take texts for bytes."""
    environment = dict(os.environ)
    name = next((name for name in _LOCALE if environment.get(name)), "LANG")
    if environment.get(name, "") in ("", "C", "POSIX"):
        environment[name] = "C.UTF-8"
    return environment
