"""supervisord: the process that keeps a cluster's processes, and outlives the one that started it.

Its configuration files, its start and end, and the calls over its unix socket.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.states import ProcessStates
from supervisor.xmlrpc import Faults, SupervisorTransport

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers import messages
from clipper_nomad.managers.disk import private_files
from clipper_nomad.managers.local import leftovers
from clipper_nomad.managers.local.logs import tail_text
from clipper_nomad.managers.local.programs import Program
from clipper_nomad.managers.local.state import StateDirectory

_POLL_S = 0.05
_START_TIMEOUT_S = 30
_SHUTDOWN_TIMEOUT_S = 45.0
_HISTORY_BYTES = 1_000_000
_STOPPED = (ProcessStates.STOPPED, ProcessStates.STOPPING)


@dataclass(frozen=True)
class ProcessStatus:
    """A process as supervisord sees it: its id (0 while there is none), and its last error, if any.

    One that `is_stopped` was asked to end, and may still drain; or it was not started yet.
    """

    process_name: str
    pid: int
    error: str
    is_stopped: bool

    def is_of(self, program: Program) -> bool:
        """Return whether the process was started from exactly this program."""
        return self.process_name.startswith(f"{program.name}.{program.digest}.")


@dataclass(frozen=True)
class ExitHistory:
    """The ends of a process: how many were unasked, the last one, and whether it ever counted as started."""

    count: int
    last: str
    started: bool


class Supervisor:
    """One cluster's supervisord."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._directory = state.supervisor_dir
        self._programs_dir = self._directory / "programs"
        self._config_path = self._directory / "supervisord.conf"
        self._log_path = state.logs_dir / "supervisord.log"

    @property
    def _socket_path(self) -> Path:
        return self._state.socket_dir / "supervisor.sock"

    def is_running(self) -> bool:
        """Return whether supervisord runs and answers."""
        try:
            self._call("getState")
        except ContainerManagerError:
            return False
        return True

    def start(self, programs: Iterable[Program], settings: Mapping[str, str] | None = None) -> None:
        """Start supervisord with these programs alone, all at once, and return without waiting for them.

        `settings` are the only CLIPPER_ variables in the environment of the processes.
        """
        # Not the whole directory: processes that serve on without supervisord have sockets there.
        shutil.rmtree(self._programs_dir, ignore_errors=True)
        self._socket_path.unlink(missing_ok=True)
        private_files.make_directory(self._programs_dir)
        self._make_socket_directory()
        for program in programs:
            self._write(program)
        private_files.write_text(self._config_path, self._render())
        self._launch(_environment(self._state.path, settings or {}))

    def _launch(self, environment: Mapping[str, str]) -> None:
        result = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config_path)],
            cwd=self._state.work_dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            timeout=_START_TIMEOUT_S,
            check=False,
            # supervisord opens its own log before it reads its umask.
            umask=private_files.UMASK,
        )
        # supervisord listens before it goes to the background, and run() returns then.
        if result.returncode != 0:
            raise ContainerManagerError(
                f"Could not start supervisord for cluster {self._state.cluster_name!r}: "
                f"{result.stdout.decode(errors='replace').strip()}"
            )

    def add(self, programs: Collection[Program]) -> None:
        """Start programs that supervisord does not keep yet, and return at once.

        If this is interrupted, some of them are kept and the others are not: add() takes the others later.
        """
        if not programs:
            return
        for program in programs:
            self._write(program)
        with self._proxy() as proxy:
            proxy.supervisor.reloadConfig()
            for program in programs:
                proxy.supervisor.addProcessGroup(program.name)

    def remove(self, names: Collection[str]) -> None:
        """Stop programs, all at once, wait until each has drained or was killed, and forget them."""
        if not names:
            return
        present = self.processes()
        groups = [present[name].pid for name in names if name in present and present[name].pid]
        pending = set(names)
        # supervisord kills what does not end in time, so that this ends too.
        while pending := {name for name in pending if not self._is_removed(name)}:
            time.sleep(_POLL_S)
        for name in names:
            self._program_path(name).unlink(missing_ok=True)
        # The rest of a process's group (a model's workers) ends with it.
        leftovers.end(leftovers.find_groups(self._state.path, groups), patience_s=0)

    def forget_stopped(self, names: Collection[str], *, even_ending: bool) -> None:
        """Remove those programs that an interrupted removal has stopped: nothing would start them again.

        With `even_ending` also those that still drain, which is awaited.
        """
        stopped = {name: each for name, each in self.processes().items() if each.is_stopped}
        self.remove([name for name in names if name in stopped and (even_ending or not stopped[name].pid)])

    def _is_removed(self, name: str) -> bool:
        """Ask a program to stop; forget it and return True if it has stopped."""
        with self._proxy() as proxy:
            try:
                # Asked each time, since one that had just died may have been started again.
                proxy.supervisor.stopProcessGroup(name, False)
                proxy.supervisor.removeProcessGroup(name)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode not in (Faults.BAD_NAME, Faults.STILL_RUNNING):
                    raise
                return bool(fault.faultCode == Faults.BAD_NAME)
            return True

    def processes(self) -> dict[str, ProcessStatus]:
        """Return the processes that supervisord keeps, by program name."""
        rows: list[dict[str, Any]] = self._call("getAllProcessInfo")
        return {
            row["group"]: ProcessStatus(row["name"], row["pid"], row["spawnerr"], row["state"] in _STOPPED)
            for row in rows
        }

    def exit_history(self, status: ProcessStatus) -> ExitHistory:
        """Return a process's unasked ends since its program was added, from supervisord's log."""
        name = status.process_name
        text = tail_text(self._log_path, _HISTORY_BYTES)
        ends = [line for line in text.splitlines() if f"exited: {name} (" in line]
        last = _in_words(ends[-1].partition(f"{name} (")[2].partition(";")[0]) if ends else status.error
        return ExitHistory(len(ends), last, started=f"success: {name} entered RUNNING" in text)

    def shut_down(self) -> None:
        """End supervisord and its processes, which drain; return when they are gone."""
        pids: list[int] = [self._call("getPID"), *self._pids()]
        self._call("shutdown")
        leftovers.wait_gone(pids, _SHUTDOWN_TIMEOUT_S)

    def kill(self, *, sparing: Collection[str]) -> None:
        """Kill supervisord and its processes; those in `sparing` are asked to end, and awaited."""
        spared = self._pids(sparing)
        killed = [pid for pid in self._pids() if pid not in spared]
        # supervisord goes first, so that it starts nothing again.
        leftovers.end([self._call("getPID")], patience_s=0)
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        leftovers.end(spared, patience_s=_SHUTDOWN_TIMEOUT_S)
        leftovers.wait_gone(killed, _SHUTDOWN_TIMEOUT_S)

    def _pids(self, names: Collection[str] | None = None) -> list[int]:
        processes = self.processes().items()
        return [each.pid for name, each in processes if each.pid and (names is None or name in names)]

    def remove_socket_directory(self) -> None:
        """Delete the socket's directory if it lies outside the cluster's."""
        if self._socket_path.parent != self._directory:
            shutil.rmtree(self._socket_path.parent, ignore_errors=True)

    def _make_socket_directory(self) -> None:
        directory = self._socket_path.parent
        directory.mkdir(mode=0o700, exist_ok=True)
        distrust = private_files.find_distrust(directory)
        if distrust or directory.is_symlink():
            raise ContainerManagerError(
                f"Cannot put supervisord's socket into {directory}: {distrust or 'it is a link'}. "
                "Or choose a state_dir with a shorter path, so that the socket fits there."
            )

    def _render(self) -> str:
        socket, directory = (str(p).replace("%", "%%") for p in (self._socket_path, self._directory))
        log = str(self._log_path).replace("%", "%%")
        return (
            f"[unix_http_server]\nfile={socket}\nchmod=0600\n"
            f"[supervisord]\nlogfile={log}\nlogfile_maxbytes=10MB\nlogfile_backups=1\nloglevel=info\n"
            f"umask={private_files.UMASK:03o}\n"
            f"pidfile={directory}/supervisord.pid\nidentifier=clipper-{self._state.cluster_name}\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            "[include]\nfiles=programs/*.conf\n"
        )

    def _program_path(self, name: str) -> Path:
        return self._programs_dir / f"{name}.conf"

    def _write(self, program: Program) -> None:
        # A new name at each start, so that the log's lines about an earlier process do not count for it. The
        # digest in it is what shows later from which program the process was started.
        process_name = f"{program.name}.{program.digest}.{secrets.token_hex(4)}"
        private_files.write_text(self._program_path(program.name), program.render(process_name))
        # The log exists at once, even if logs are collected before supervisord has started the program.
        program.log_path.touch(mode=0o600)

    def _call(self, method: str, *arguments: object) -> Any:
        with self._proxy() as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    @contextlib.contextmanager
    def _proxy(self) -> Iterator[Any]:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._socket_path}")
        try:
            # The URL's host means nothing: the transport has the socket.
            yield xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise ContainerManagerError(
                f"The supervisord of cluster {self._state.cluster_name!r} gave no proper answer ({error}): "
                f"see {self._log_path}, or call start_clipper() to bring the cluster back"
            ) from error
        finally:
            transport.close()


def _in_words(end: str) -> str:
    """Return how a process ended, in the words of all managers for an exit status."""
    status = end.removeprefix("exit status ")
    return messages.describe_exit(int(status)) if status.isdecimal() else end


def _environment(cluster_path: Path, settings: Mapping[str, str]) -> dict[str, str]:
    # Any other CLIPPER_ variable is meant for another process (the command line, a container), and a frontend
    # would take it for a setting of its own.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CLIPPER_")}
    return {**kept, **settings, **leftovers.mark(cluster_path)}
