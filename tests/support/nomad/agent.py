"""An agent of a real cluster: a process that is stopped and started again with its data and its ports.

It outlives the process that started it: any other process finds it by its folder.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import requests

from tests.support.nomad.leftovers import MARKER, is_alive
from tests.support.nomad.plan import Site
from tests.support.processes import BIN, eventually

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_REQUEST_TIMEOUT_S = 10.0
_LAST_LINES = 20
#: Settings of other clusters' clients, and a CA file's variable that makes Nomad's fingerprinting die.
_FOREIGN = ("NOMAD_", "CONSUL_", "FABIO_", "VAULT_", "CLIPPER_", "AWS_")
#: The shell writes its id and becomes the agent. Its parent has ended by then, so no process must reap it.
_LAUNCH = ["setsid", "--fork", "sh", "-c", 'echo $$ > "$0.new" && mv "$0.new" "$0" && exec "$@"']


class AgentError(Exception):
    """An agent did not start, or answered with an error."""


class Agent:
    """A process of the cluster. Subclasses define its start and its health."""

    name: ClassVar[str]

    def __init__(self, site: Site) -> None:
        self.site = site
        self._pid_path = site.directory / f"{self.name}.pid"
        self.log_path = site.directory / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Return the id of the agent's process, or None if it does not run."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int(self._pid_path.read_text())
            return pid if is_alive(pid, self.site.directory) else None
        return None

    def start(self) -> None:
        """Start the agent, unless it runs, and return once it is healthy.

        Raises AgentError, with its last lines, if it does not become healthy.
        """
        if self.pid is None:
            self.launch()
        self.wait_for(self.answers, "it answers")
        self.prepare()
        self.wait_until_healthy()

    def stop(self) -> None:
        """Ask the agent to end (SIGTERM), kill it if it does not, and return once it has ended."""
        try:
            self._end(signal.SIGTERM)
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """End the agent at once, as `kill -9` does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the agent and start it again, with its data."""
        self.stop()
        self.start()

    def wait_until_healthy(self) -> None:
        """Return once the agent is healthy. Raises AgentError, with its last lines."""
        self.wait_for(self.is_healthy, "it is healthy")

    def is_healthy(self) -> bool:
        """Return whether the agent does all of its work."""
        return self.answers()

    def answers(self) -> bool:
        """Return whether requests are answered."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Prepare the agent's state for the others; doing it twice is fine."""

    def command(self) -> list[str]:
        """Write the files that the agent reads, and return its command line."""
        raise NotImplementedError

    @property
    def last_lines(self) -> str:
        """Return the end of the log."""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-_LAST_LINES:])

    def launch(self) -> None:
        """Start the agent's process, without waiting for more."""
        self._pid_path.unlink(missing_ok=True)
        with self.log_path.open("ab") as log:
            subprocess.run(
                [*_LAUNCH, str(self._pid_path), *self.command()],
                check=True,
                env=_environment(self.site.directory),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(self._pid_path.exists, f"{self.name} is started")

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Return once `condition` holds. Raises AgentError, with the last lines, if it never does."""
        try:
            eventually(lambda: condition() or self.pid is None, what, _START_TIMEOUT_S)
        except TimeoutError as error:
            raise AgentError(f"{self.name}: {error}; its last lines:\n{self.last_lines}") from error
        if self.pid is None:
            raise AgentError(f"{self.name} has ended; its last lines:\n{self.last_lines}")

    def _end(self, number: signal.Signals) -> None:
        if pid := self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            eventually(lambda: self.pid is None, f"{self.name} has ended", _STOP_TIMEOUT_S)


def _environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    # The drivers exec and raw_exec find the product's commands on Nomad's PATH.
    path = os.pathsep.join((str(BIN), kept.get("PATH", os.defpath)))
    return {**kept, "PATH": path, MARKER: str(directory)}


def send(
    site: Site, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> Any:
    """Return the decoded answer to a request to an agent's API. Raises AgentError if it is refused."""
    with requests.Session() as session:
        # The proxy and the CA of this machine's environment are not for the cluster.
        session.trust_env = False
        if site.plan.tls:
            session.verify = str(site.ca_path)
        if site.plan.verify_https_client:
            certificate, key = site.client_certificate
            session.cert = (str(certificate), str(key))
        return _answer(session, method, url, body, dict(headers or {}))


def _answer(session: requests.Session, method: str, url: str, body: Any, headers: dict[str, str]) -> Any:
    try:
        answer = session.request(method, url, json=body, headers=headers, timeout=_REQUEST_TIMEOUT_S)
    except (requests.RequestException, OSError) as error:
        raise AgentError(f"{method} {url}: {error}") from error
    if not answer.ok:
        raise AgentError(f"{method} {url}: {answer.status_code} {answer.text.strip()}")
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return answer.text
