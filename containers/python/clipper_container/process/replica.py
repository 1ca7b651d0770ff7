"""The replica's side of the fork: its group, its standard streams, the stack that a crash leaves, its end."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import faulthandler
import io
import os
import signal
import sys
import traceback
from typing import Callable, NoReturn

from clipper_container.process.shared import Shared

_PR_SET_PDEATHSIG = 1
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_FAILED = 1
#: The standard input that this process was started with; others that it starts do not get it.
_kept: list[int] = []


def empty_stdin() -> None:
    """Let input() and debuggers meet the end of the input at once: nobody could answer them.

    What was there before stays open elsewhere. It may be a pipe, and a supervisor that polls the other end of
    a pipe without a reader is told of an error again and again: supervisord then takes a whole core.
    """
    with contextlib.suppress(OSError):  # there may be none
        _kept.append(os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def become_replica(shared: Shared, serve: Callable[[], int]) -> NoReturn:
    """Run `serve` as the watched child, and end the process with the exit code that it returns.

    Functions registered with atexit are called; threads of the model are not waited for.
    """
    with contextlib.suppress(OSError):  # the watcher does the same; whoever is first
        os.setpgid(0, 0)
    _end_with_watcher(shared)
    for signum in _STOP_SIGNALS:
        # There is nothing to drain while the model loads.
        signal.signal(signum, lambda *_: shared.exit_now(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_STOP_SIGNALS, signal.SIGCHLD))
    faulthandler.enable()
    if "PYTHONBREAKPOINT" not in os.environ:
        sys.breakpointhook = _refuse_breakpoint
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what is printed before a crash is not lost
    try:
        code = serve()
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001 - the root of the process
        traceback.print_exc()
        code = _FAILED
    shared.exit_now(code)


def _end_with_watcher(shared: Shared) -> None:
    """Let the kernel end this process with its watcher, where it can."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if shared.is_orphaned():
        os._exit(_FAILED)


def _refuse_breakpoint(*_args: object, **_keywords: object) -> None:
    raise RuntimeError(
        "the model calls breakpoint(), and a replica has no terminal for a debugger: remove the call, or try "
        "the function with test_predict_function()"
    )
