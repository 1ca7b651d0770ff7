"""Interrupts at each step of a call: before and after whatever it does to processes, files and servers.

A step is a place in the admin library from which something outside of it is called, with all its callers. A
call is first watched, which gives its steps in their order, and then interrupted at one of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from unittest import mock

import requests
from supervisor.xmlrpc import SupervisorTransport

from clipper_nomad.managers import health
from tests.support.paths import REPOSITORY

_LIBRARY = str(REPOSITORY / "clipper_nomad")
#: What the library calls to change or to ask anything outside of this process.
_FUNCTIONS: dict[Any, tuple[str, ...]] = {
    subprocess: ("run",),
    SupervisorTransport: ("request",),
    requests.Session: ("send",),
    health: ("unready_reason",),
    time: ("sleep",),
    shutil: ("rmtree", "copytree"),
    os: ("kill", "killpg", "fsync"),
    fcntl: ("flock",),
    Path: ("mkdir", "write_text", "write_bytes", "replace", "rename", "unlink", "touch"),
}


class Step(NamedTuple):
    """A step: what is called, whether it has been done, and from where, the innermost place first."""

    seam: str
    done: bool
    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{'after' if self.done else 'before'} {self.seam} at {' < '.join(self.places[:3])}"


class Steps:
    """The steps of one call, in the order in which it comes to them first."""

    def __init__(self, interrupted: Step | None = None) -> None:
        self.found: dict[Step, None] = {}
        self._interrupted = interrupted
        self._inside = False

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Note the steps of the block, and interrupt it at the step that was given, once."""
        with contextlib.ExitStack() as stack:
            for owner, name in [(owner, name) for owner, names in _FUNCTIONS.items() for name in names]:
                wrapped = self._wrap(name, getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, wrapped))
            yield

    def _wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            if self._inside or threading.current_thread() is not threading.main_thread():
                return function(*arguments, **options)
            places = _places()
            self._come_to(Step(name, False, places))
            self._inside = True
            try:
                result = function(*arguments, **options)
            finally:
                self._inside = False
            self._come_to(Step(name, True, places))
            return result

        return call

    def _come_to(self, step: Step) -> None:
        if not step.places:
            return
        self.found[step] = None
        if step == self._interrupted:
            self._interrupted = None
            raise KeyboardInterrupt


def _places() -> tuple[str, ...]:
    """Return the lines of the library that are being called, the innermost first."""
    found = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith(_LIBRARY):
            found.append(f"{Path(frame.f_code.co_filename).stem}:{frame.f_lineno}")
        frame = frame.f_back
    return tuple(found)
