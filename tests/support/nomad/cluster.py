"""A real cluster on this machine, for development and tests: Consul, Nomad and Fabio over a Docker engine.

Processes share a cluster: the first one starts it, and the last one stops it and removes its leftovers.

`python -m tests.support.nomad.cluster up` starts one that outlives the shell; see keeper.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import IO, Self

from tests.support.docker.engine import (
    Engine,
    MissingServiceError,
    cache_dir,
    find_bridge,
    locked,
)
from tests.support.nomad.agent import Agent, AgentError
from tests.support.nomad.agents import Consul, Fabio, Nomad
from tests.support.nomad.leftovers import kill_processes, remove_containers, unmount
from tests.support.nomad.plan import PLAIN, ClusterPlan, Secrets, Site
from tests.support.nomad.settings import consul_settings, fabio_command, nomad_settings
from tests.support.nomad.tools import Tools, require_tools
from tests.support.processes import eventually

_JOBS_TIMEOUT_S = 15.0
_JOIN_TIMEOUT_S = 120.0


class NomadCluster:
    """A cluster that follows a plan, shared by all processes that enter it."""

    def __init__(self, plan: ClusterPlan = PLAIN) -> None:
        self.plan = plan
        self._directory = cache_dir() / "nomad" / plan.name
        self._locks = cache_dir() / "nomad"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start the cluster unless it is up. Raises MissingServiceError if that is impossible."""
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            raise MissingServiceError("a cluster of Nomad, Consul and Fabio for tests needs root on Linux")
        self._locks.mkdir(exist_ok=True)
        tools = require_tools()
        with contextlib.ExitStack() as stack:
            self.docker = stack.enter_context(Engine())
            self._bind(tools, Secrets())
            users = stack.enter_context((self._locks / self._users_name).open("a"))
            stack.callback(self._leave, users)
            with locked(self._start_lock):
                self._join(users, tools)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def stop_abandoned(self) -> bool:
        """Stop a cluster whose users have died, and return whether it has no users now."""
        if not self._directory.exists():
            return True
        with Engine() as self.docker, (self._locks / self._users_name).open("a") as users:
            self._bind(require_tools(), self._known_secrets())
            return self._leave(users)

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Return the agents, in the order in which they start."""
        return self.consul, self.nomad, self.fabio

    @property
    def address(self) -> str:
        """Return the cluster's address, for this machine and for containers."""
        return self.site.address

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables with which clients find the cluster."""
        return self.site.environment()

    def wait_until_healthy(self) -> None:
        """Return once all agents are healthy. Raises AgentError if one does not become healthy."""
        for agent in self.agents:
            agent.wait_until_healthy()
        eventually(lambda: self.consul.has_passing("fabio"), "Consul finds that Fabio passes its check")

    @property
    def _users_name(self) -> str:
        return f"{self.plan.name}.users"

    @property
    def _start_lock(self) -> Path:
        return self._locks / f"{self.plan.name}.start"

    @property
    def _secrets_path(self) -> Path:
        return self._directory / "secrets.json"

    def _join(self, users: IO[str], tools: Tools) -> None:
        """Use the cluster that is up, or start one as soon as no other process uses it."""
        self._bind(tools, self._known_secrets())
        self._await_turn(users)
        if _try_to_own(users) and not self._is_up():
            self._clean()
            self._bind(tools, Secrets())
            self._start()
        fcntl.flock(users, fcntl.LOCK_SH)

    def _await_turn(self, users: IO[str]) -> None:
        """Return once the cluster is up with this checkout's settings, or has no users."""
        try:
            eventually(lambda: _try_to_own(users) or self._is_up(), "the cluster is up", _JOIN_TIMEOUT_S)
        except TimeoutError as error:
            raise MissingServiceError(
                f"the cluster {self.plan.name} that other processes use is not healthy, or has other "
                "settings than this checkout's: stop them, and `make cluster-down`"
            ) from error

    def _bind(self, tools: Tools, secrets: Secrets) -> None:
        self.site = Site(self.plan, self._directory, *find_bridge(self.docker), tools, secrets)
        self.consul, self.nomad, self.fabio = Consul(self.site), Nomad(self.site), Fabio(self.site)

    def _known_secrets(self) -> Secrets:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return Secrets(**json.loads(self._secrets_path.read_text()))
        return Secrets()

    def _is_up(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            is_ours = (self._directory / "key").read_text() == _key(self.site)
            return is_ours and all(agent.pid and agent.is_healthy() for agent in self.agents)
        return False

    def _start(self) -> None:
        self._directory.mkdir(parents=True, mode=0o700)
        self._secrets_path.touch(mode=0o600)
        self._secrets_path.write_text(json.dumps(dataclasses.asdict(self.site.secrets)))
        try:
            for agent in self.agents:
                agent.start()
            self.wait_until_healthy()
        except (AgentError, TimeoutError) as error:
            self._clean()
            raise MissingServiceError(f"the cluster {self.plan.name} did not start: {error}") from error
        (self._directory / "key").write_text(_key(self.site))

    def _leave(self, users: IO[str]) -> bool:
        """Stop the cluster if no other process uses it, and return whether it was stopped."""
        with locked(self._start_lock):
            is_last = _try_to_own(users)
            if is_last:
                self._stop()
            return is_last

    def _stop(self) -> None:
        if self._directory.exists():
            with contextlib.suppress(AgentError):
                self.nomad.stop_jobs(_JOBS_TIMEOUT_S)
            for agent in reversed(self.agents):
                agent.stop()
        self._clean()

    def _clean(self) -> None:
        """Remove all leftovers of a cluster, whether its agents run or not."""
        kill_processes(self._directory)
        remove_containers(self.docker, self.plan.node_name)
        unmount(self._directory)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._directory)


def _try_to_own(users: IO[str]) -> bool:
    """Try to take the file's lock for this process alone, and return whether it succeeded."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _key(site: Site) -> str:
    """Return a hash of all settings that a cluster is started with."""
    settings = [consul_settings(site), nomad_settings(site), fabio_command(site), site.plan.devices]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    from tests.support.nomad.keeper import main

    main()
