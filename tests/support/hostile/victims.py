"""A local cluster whose processes are killed and stopped, and what must hold of it afterwards."""

from __future__ import annotations

import os
import signal
import time
from http.client import HTTPException
from pathlib import Path

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ClipperException
from clipper_nomad.managers.local import leftovers
from clipper_nomad.testing.rest import RefusedError, predict
from clipper_nomad.testing.waiting import eventually
from tests.support.hostile.counts import Counts
from tests.support.hostile.families import SUPERVISORD, find_all, find_strays
from tests.support.hostile.served import sums
from tests.support.local_clusters import LocalCluster, build_model

APP = "app"
#: Longer than any stop of a process here.
SLO_S = 3.0
_FRONTENDS, _REPLICAS = 2, 2
_STOPPED_S = 1.0
_HEALTHY_WITHIN_S = 90.0


class Victims:
    """A cluster of two query frontends and two replicas."""

    def __init__(self, folder: Path, counts: Counts) -> None:
        self.cluster = LocalCluster(folder / "state")
        self.query = f"127.0.0.1:{self.cluster.ports['query_port']}"
        self._counts = counts
        manager = self.cluster.make_manager()
        self._connection = ClipperConnection(manager)
        self._connection.start_clipper(num_frontend_replicas=_FRONTENDS)
        image = build_model(manager, folder / "model", sums())
        self._connection.deploy_model("sums", 1, "doubles", image, num_replicas=_REPLICAS)
        self._connection.register_application(APP, "doubles", "null", round(SLO_S * 1e6))
        self._connection.link_model_to_app(APP, "sums")
        self._programs = sorted(self.cluster.processes())
        self._await_health("the start")
        self.names = sorted(self._pids().keys() - {SUPERVISORD})

    def kill(self, name: str) -> None:
        """Kill a process, and wait until all is well again."""
        before = self._pids()
        self._counts.cases += 1
        os.kill(before[name], signal.SIGKILL)
        eventually(lambda: not leftovers.is_alive(before[name]), f"{name} has ended")
        if name == SUPERVISORD:
            self._connection.start_clipper(num_frontend_replicas=_FRONTENDS)
        self._await_health(f"killing {name}")
        if name != SUPERVISORD:
            self._compare(before, name)

    def stop(self, name: str) -> None:
        """Stop a process for a while: all go on."""
        before = self._pids()
        self._counts.cases += 1
        os.kill(before[name], signal.SIGSTOP)
        # The time for which it is stopped is what is tested.
        time.sleep(_STOPPED_S)
        os.kill(before[name], signal.SIGCONT)
        self._compare(before, "")

    def memory_mb(self) -> float:
        """Return the memory of all processes."""
        page = os.sysconf("SC_PAGE_SIZE")
        return sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page / 2**20
            for pid in self._pids().values()
        )

    def _pids(self) -> dict[str, int]:
        return find_all(self.cluster)

    def _compare(self, before: dict[str, int], victim: str) -> None:
        """Count processes that were started again though another was the victim."""
        after = self._pids()
        for name in before:
            # A program and its children end together.
            if before[name] != after.get(name) and name.partition("/")[0] != victim.partition("/")[0]:
                self._counts.restarted(f"{name}, when {victim or 'a process'} was the victim")

    def _await_health(self, what: str) -> None:
        try:
            eventually(lambda: not self._find_problem(), f"health after {what}", _HEALTHY_WITHIN_S)
        except TimeoutError:
            self._counts.left_over(f"{self._find_problem()} after {what}")

    def _find_problem(self) -> str:
        """Return what is not as before; empty if all is well."""
        try:
            processes = self.cluster.processes()
            kept = {each.pid for each in processes.values()}
            if sorted(processes) != self._programs or not all(kept):
                return f"processes are {processes}"
            unready = [name for name in self._programs if name != "redis" and not self._is_ready(name)]
            connected = self._connection.get_all_model_replicas()
            strays = find_strays(self.cluster)
            answer = predict(self.query, APP, input=[1.0, 0.5])
        except (ClipperException, RefusedError, OSError, HTTPException) as error:
            return str(error)
        if unready or len(connected) != _REPLICAS or strays or answer["default"]:
            return f"unready {unready}, connected {connected}, strays {strays}, {answer}"
        return ""

    def _is_ready(self, name: str) -> bool:
        return name == "management-frontend" or self.cluster.is_ready(name)
