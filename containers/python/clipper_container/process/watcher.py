"""The process that watches a replica: it forwards signals, ends what hangs, and logs how the replica ended.

It is a process of its own, since code that holds the interpreter (a regular expression that backtracks for
ever) lets no thread beside it run, and since a process that was killed logs nothing.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import signal
import socket
import time
from dataclasses import dataclass
from typing import Callable, Optional

from clipper_container.process.shared import Shared

_LOG = logging.getLogger("clipper.container")
EXIT_HUNG = 70
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = (*_STOP_SIGNALS, signal.SIGCHLD)
_MAX_TICK_S = 1.0
_TICKS_OF_A_HANG = 4
#: The replica ends itself when its drain timeout has passed. If it cannot, it is ended so much later.
_DRAIN_MARGIN_S = 2.0
#: The time to end after a second signal, and to write the stacks of a hung model.
_LAST_PATIENCE_S = 1.0
_STACKS_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Limits:
    """After how long a run of the model ends the replica (None: never), and how long a stop may take."""

    hang_timeout_s: Optional[float]
    drain_timeout_s: float


def run_watched(serve: Callable[[Shared], None], limits: Limits) -> int:
    """Run `serve` in a child, which it must end, and return the exit code once the child has ended.

    A child that was killed by signal n counts as exit code 128 + n.
    """
    shared = Shared()
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    pid = os.fork()
    if pid == 0:
        serve(shared)
        os._exit(0)  # not reached
    with contextlib.suppress(OSError):  # the child does the same; whoever is first
        os.setpgid(pid, pid)
    return _Watcher(pid, shared, limits).watch()


class _Watcher:
    def __init__(self, pid: int, shared: Shared, limits: Limits) -> None:
        self._pid = pid
        self._shared = shared
        self._limits = limits
        self._kill_at = math.inf
        self._stop_signals = 0
        self._hung_for_s = 0.0
        hang_s = math.inf if limits.hang_timeout_s is None else limits.hang_timeout_s
        self._tick_s = min(_MAX_TICK_S, hang_s / _TICKS_OF_A_HANG)
        self._reader, self._writer = socket.socketpair()
        self._catch_signals()

    def _catch_signals(self) -> None:
        for end in (self._reader, self._writer):
            end.setblocking(False)
        for signum in _SIGNALS:
            # Python writes a signal's number to the socket only if the signal has a Python handler.
            signal.signal(signum, lambda *_: None)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def watch(self) -> int:
        """Return the exit code of the replica, once it has ended and its end is logged."""
        while True:
            status = self._reap()
            if status is not None:
                return self._report(status)
            select.select([self._reader], [], [], self._tick_s)
            now = time.monotonic()
            for signum in self._received():
                self._forward(signum, now)
            self._end_what_hangs(now)

    def _received(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return bytes(signum for signum in self._reader.recv(4096) if signum in _STOP_SIGNALS)
        return b""

    def _reap(self) -> Optional[int]:
        """Return the replica's exit code if it has ended, negative for a signal.

        The first process of a container also gets the children of others that have ended.
        """
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self._pid:
                    return os.waitstatus_to_exitcode(status)
                if pid == 0:
                    return None
        return None

    def _forward(self, signum: int, now: float) -> None:
        self._stop_signals += 1
        is_first = self._stop_signals == 1
        patience_s = self._limits.drain_timeout_s + _DRAIN_MARGIN_S if is_first else _LAST_PATIENCE_S
        self._kill_at = min(self._kill_at, now + patience_s)
        os.kill(self._pid, signum)

    def _end_what_hangs(self, now: float) -> None:
        if now >= self._kill_at:
            os.kill(self._pid, signal.SIGKILL)
            return
        since, limit_s = self._shared.running_since, self._limits.hang_timeout_s
        if since is None or limit_s is None or self._hung_for_s or now - since < limit_s:
            return
        self._hung_for_s = now - since
        self._kill_at = min(self._kill_at, now + _STACKS_PATIENCE_S)
        _forbid_core_dump(self._pid)
        # Its handler writes the stacks of all threads, and needs no interpreter for it.
        os.kill(self._pid, signal.SIGABRT)

    def _report(self, status: int) -> int:
        with contextlib.suppress(OSError):  # what the model has started ends with it
            os.killpg(self._pid, signal.SIGKILL)
        if self._hung_for_s and status < 0:
            _LOG.error(
                "the model has been running one batch for %.1f s, with the stacks above: exiting, so that "
                "the replica is restarted",
                self._hung_for_s,
            )
            return EXIT_HUNG
        if not self._shared.is_ending:
            _LOG.error("%s", self._describe(status))
        return status if status >= 0 else 128 - status

    def _describe(self, status: int) -> str:
        if status >= 0:
            return f"the replica's process ended itself with exit status {status}: its code calls os._exit()"
        name = _signal_name(-status)
        if -status != signal.SIGKILL:
            return f"the replica's process was killed by signal {-status} ({name})"
        if self._stop_signals:
            return "the replica did not end within its drain timeout: it was killed by signal 9 (SIGKILL)"
        return (
            "the replica's process was killed by signal 9 (SIGKILL), as the kernel does when memory runs "
            "out: give it more memory, or look for who killed it"
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"


def _forbid_core_dump(pid: int) -> None:
    """Keep the kernel from writing the memory of a hung model to disk."""
    try:
        import resource

        _, hard = resource.prlimit(pid, resource.RLIMIT_CORE)
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, hard))
    except (ImportError, AttributeError, OSError):  # not on this system; the limit is 0 nearly everywhere
        return
