"""A supervisord in memory, behind the real `Supervisor`, and interrupts at each of the calls that leave it.

No process is started: what counts is which programs are kept when a call of the manager ends half-way.
"""

from __future__ import annotations

import itertools
import os
import re
import xmlrpc.client
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from supervisor.states import ProcessStates
from supervisor.xmlrpc import Faults

from clipper_nomad.managers import health
from clipper_nomad.managers.local import frontends, leftovers
from clipper_nomad.managers.local.redis_server import RedisServer
from clipper_nomad.managers.local.state import StateDirectory
from clipper_nomad.managers.local.supervisor import Supervisor

_RUNNING, _STOPPED = ProcessStates.RUNNING, ProcessStates.STOPPED


class Interrupts:
    """Counts the calls that pass, and interrupts the chosen one, before or after it has taken effect."""

    def __init__(self) -> None:
        self.passed = 0
        self._at: tuple[int, bool] | None = None

    def arm(self, number: int, *, after: bool) -> None:
        """Interrupt the call of this number from now on."""
        self.passed = 0
        self._at = number, after

    def disarm(self) -> None:
        """Interrupt nothing, and count from 0."""
        self.passed = 0
        self._at = None

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return `call` with the interrupts in it."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            number = self.passed
            self.passed += 1
            if self._at == (number, False):
                raise KeyboardInterrupt
            try:
                return call(*arguments, **named)
            finally:
                if self._at == (number, True):
                    raise KeyboardInterrupt

        return wrapped


class FakeSupervisord:
    """The methods that the manager calls, on the programs in the real configuration files."""

    def __init__(self, interrupts: Interrupts, patch: pytest.MonkeyPatch) -> None:
        self._interrupts = interrupts
        # No process of the system has such an id.
        self._pids = itertools.count(1_000_000_000)
        self.forget()
        self._install(patch)

    def forget(self) -> None:
        """Begin again: nothing runs."""
        self.is_alive = False
        self.pid = 0
        self.directory = Path()
        #: By program: its process name, its id (0 once it is stopped), its configuration.
        self.kept: dict[str, tuple[str, int, str]] = {}
        self._configured: dict[str, str] = {}

    def _install(self, patch: pytest.MonkeyPatch) -> None:
        """Take the place of processes, and of what asks them."""
        around = self._interrupts.around
        patch.setattr(xmlrpc.client, "ServerProxy", lambda *_, **__: self)
        patch.setattr(Supervisor, "_launch", around(lambda of, _: self._launch(of)))
        for name in ("write", "create", "remove"):
            patch.setattr(StateDirectory, name, around(getattr(StateDirectory, name)))
        patch.setattr(leftovers, "find", lambda _: [])
        patch.setattr(leftovers, "end", around(lambda pids, **_: self._end(pids)))
        patch.setattr(leftovers, "wait_gone", lambda *_: [])
        patch.setattr(os, "killpg", around(lambda pid, _: self._end([pid])))
        patch.setattr(health, "unready_reason", around(lambda _, port: self._unready_reason(port)))
        patch.setattr(frontends, "find_redis_server", lambda: RedisServer("redis-server", ""))

    @property
    def supervisor(self) -> _Methods:
        """Return the namespace of the methods, as ServerProxy has it."""
        if not self.is_alive:
            raise ConnectionRefusedError
        return _Methods(self, self._interrupts)

    def _launch(self, of: Supervisor) -> None:
        self.directory = of._programs_dir
        self.is_alive, self.pid, self.kept = True, next(self._pids), {}
        self.reload_config()
        for name in self._configured:
            self.add_process_group(name)

    def _end(self, pids: Collection[int]) -> None:
        if self.pid in pids:
            self.is_alive = False
        self.kept = {name: each for name, each in self.kept.items() if each[1] not in pids}

    def _unready_reason(self, port: int) -> str:
        runs = self.is_alive and any(pid and str(port) in text for _, pid, text in self.kept.values())
        return "" if runs else "nothing listens"

    # The methods' names are supervisord's, in small letters.

    def get_state(self) -> dict[str, object]:
        return {"statename": "RUNNING"}

    def get_pid(self) -> int:
        return self.pid

    def get_all_process_info(self) -> list[dict[str, object]]:
        return [
            {
                "group": name,
                "name": process,
                "pid": pid,
                "spawnerr": "",
                "state": _RUNNING if pid else _STOPPED,
            }
            for name, (process, pid, _) in self.kept.items()
        ]

    def reload_config(self) -> None:
        self._configured = {path.stem: path.read_text() for path in self.directory.glob("*.conf")}

    def add_process_group(self, name: str) -> None:
        if name in self.kept:
            raise xmlrpc.client.Fault(Faults.ALREADY_ADDED, name)
        text = self._configured[name]
        process = text.partition("process_name=")[2].partition("\n")[0]
        self.kept[name] = process, next(self._pids), text

    def stop_process_group(self, name: str, _wait: bool) -> None:
        if name not in self.kept:
            raise xmlrpc.client.Fault(Faults.BAD_NAME, name)
        process, _, text = self.kept[name]
        self.kept[name] = process, 0, text

    def remove_process_group(self, name: str) -> None:
        del self.kept[name]

    def shutdown(self) -> None:
        self.is_alive, self.kept = False, {}


class _Methods:
    def __init__(self, fake: FakeSupervisord, interrupts: Interrupts) -> None:
        self._fake = fake
        self._interrupts = interrupts

    def __getattr__(self, name: str) -> Callable[..., Any]:
        words = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
        return self._interrupts.around(getattr(self._fake, words))


def each_boundary(count: int) -> Iterator[tuple[int, bool]]:
    """Yield each place of an interrupt among `count` calls: the call's number, and whether after it."""
    return itertools.product(range(count), (False, True))
