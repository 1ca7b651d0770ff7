"""A cluster that is kept up between test runs and for development, by a process in the background.

`python -m tests.support.nomad.cluster up` starts it and prints how to reach the cluster, `down` stops it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys

from tests.support.docker.engine import MissingServiceError, cache_dir, locked, require_base_image
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.tools import require_tools
from tests.support.processes import eventually

_START_TIMEOUT_S = 180.0
_PREFIX = "cluster: "


class Keeper:
    """A process in the background that only uses the plain cluster, so that this stays up."""

    def __init__(self) -> None:
        folder = cache_dir() / "nomad"
        folder.mkdir(exist_ok=True)
        self._pid_path = folder / "keeper.pid"
        self._lock_path = folder / "keeper.lock"
        self.log_path = folder / "keeper.log"

    @property
    def pid(self) -> int | None:
        """Return the keeper's process id, once its cluster is up, or None."""
        with self._lock_path.open("a") as lock, contextlib.suppress(BlockingIOError):
            # Shared, so that two processes that look do not take each other for the keeper.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(self._pid_path.read_text())
        return None

    def start(self) -> None:
        """Start the keeper, unless it runs, and return once its cluster is up. Raises MissingServiceError."""
        with locked(self._lock_path.with_name("keeper.start")):
            if self.pid is not None:
                return
            command = [sys.executable, "-m", "tests.support.nomad.cluster", "keep"]
            with self.log_path.open("wb") as log:
                keeper = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            eventually(
                lambda: keeper.poll() is not None or self.pid == keeper.pid, "it is up", _START_TIMEOUT_S
            )
        if keeper.returncode is not None:
            said = self.log_path.read_text(errors="replace").strip()
            raise MissingServiceError(said.removeprefix(_PREFIX))

    def keep(self) -> None:
        """Be the keeper, until SIGTERM."""
        self._pid_path.unlink(missing_ok=True)
        with self._lock_path.open("a") as lock, NomadCluster():
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._pid_path.write_text(str(os.getpid()))
            signal.sigwait({signal.SIGINT, signal.SIGTERM})

    def stop(self) -> None:
        """End the keeper, if there is one, and return once it has left its cluster."""
        if pid := self.pid:
            os.kill(pid, signal.SIGTERM)
            eventually(lambda: self.pid is None, "the keeper has ended", _START_TIMEOUT_S)


def main() -> None:
    """Start the plain cluster (`up`), or stop it (`down`)."""
    keeper = Keeper()
    parser = argparse.ArgumentParser(prog="python -m tests.support.nomad.cluster", description=main.__doc__)
    parser.add_argument("command", choices=["up", "down", "keep"])
    command = parser.parse_args().command
    try:
        if command == "keep":
            keeper.keep()
        elif command == "up":
            _up(keeper)
        else:
            _down(keeper)
    except MissingServiceError as error:
        sys.exit(f"{_PREFIX}{error}")


def _up(keeper: Keeper) -> None:
    # In this process, so that the progress of a build is on the terminal.
    require_tools()
    keeper.start()
    with NomadCluster() as cluster:
        site = cluster.site
        print(f"# Nomad   {site.nomad_url}/ui/")
        print(f"# Consul  {site.consul_url}/ui/")
        print(f"# Fabio   {site.fabio_ui_url}/")
        for name, value in (cluster.environment | _image_settings(cluster)).items():
            print(f"export {name}={shlex.quote(value)}")


def _image_settings(cluster: NomadCluster) -> dict[str, str]:
    """Return the variables for building images without a public registry, if that is possible."""
    try:
        return {"CLIPPER_BASE_IMAGE": require_base_image(cluster.docker), "CLIPPER_BUILD_NETWORK": "host"}
    except MissingServiceError:
        return {}


def _down(keeper: Keeper) -> None:
    keeper.stop()
    # If the keeper was killed, its cluster still runs.
    if not NomadCluster().stop_abandoned():
        print("other processes use the cluster: it stops with the last of them")
