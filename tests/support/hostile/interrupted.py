"""The life of a local cluster, of calls that are interrupted and then repeated."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ClipperException
from clipper_nomad.testing.rest import RefusedError, predict
from clipper_nomad.testing.waiting import eventually
from tests.support.hostile.counts import Counts
from tests.support.hostile.families import find_strays
from tests.support.hostile.served import sums
from tests.support.hostile.steps import Step, Steps
from tests.support.local_clusters import LocalCluster, build_model

APP, MODEL = "app", "sums"
_CORE = {"redis", "management-frontend", "query-frontend-0"}
_REPLICA = f"model.{MODEL}.1.0"

#: The calls of a life, in their order.
CALLS = ("start", "deploy", "stop and keep", "start again", "stop")


class Life:
    """One cluster from its start to its end; `steps` are the steps at which its calls are interrupted."""

    def __init__(self, folder: Path, counts: Counts, steps: dict[str, Step], rng: random.Random) -> None:
        self.cluster = LocalCluster(folder)
        self.found: dict[str, list[Step]] = {}
        self._counts = counts
        self._steps = steps
        self._rng = rng
        self._connection = ClipperConnection(self.cluster.make_manager())

    def live(self) -> None:
        """Make all calls, each interrupted and repeated, and check the cluster after each."""
        self._call("start", self._start, self._start)
        self._check("start", serves=False)
        self._connection.register_application(APP, "doubles", "null", 5_000_000)
        manager = self.cluster.make_manager()
        manager.connect()
        image = build_model(manager, self.cluster.state_root / "model", sums())
        self._call("deploy", lambda: self._deploy(image), lambda: self._deploy_unless_done(image))
        self._connection.link_model_to_app(APP, MODEL)
        self._check("deploy", serves=True)
        self._stop_and_start()
        self._call("stop", self._stop, self._stop)
        self._check_gone()

    def _stop_and_start(self) -> None:
        """Stop with the state kept, and start again: after an interrupt either call may be the next."""
        repeat = self._rng.choice((self._keep, lambda: None))
        self._call("stop and keep", self._keep, repeat)
        self._call("start again", self._start, self._start)
        self._check("start again", serves=True)

    def _start(self) -> None:
        self._connection.start_clipper()

    def _deploy(self, image: str) -> None:
        self._connection.deploy_model(MODEL, 1, "doubles", image)

    def _deploy_unless_done(self, image: str) -> None:
        """Deploy, unless the interrupt came when all was done."""
        if f"{MODEL}:1" not in self._connection.get_all_models():
            self._deploy(image)

    def _keep(self) -> None:
        self._connection.stop_all(keep_state=True)

    def _stop(self) -> None:
        self._connection.stop_all()

    def _call(self, name: str, call: Callable[[], None], repeat: Callable[[], None]) -> None:
        """Make a call; if it is interrupted, make the next one by this connection or by another."""
        steps = Steps(self._steps.get(name))
        self._counts.cases += 1
        try:
            with steps.watched():
                call()
        except KeyboardInterrupt:
            if self._rng.random() < 0.5 and name.startswith(("start", "stop")):
                self._connection = ClipperConnection(self.cluster.make_manager())
            repeat()
        self.found[name] = list(steps.found)

    def _check(self, call: str, *, serves: bool) -> None:
        wanted = _CORE | ({_REPLICA} if serves else set())
        try:
            eventually(lambda: not self._find_problem(wanted, serves=serves), "a healthy cluster")
        except TimeoutError:
            self._counts.wrong(f"{self._find_problem(wanted, serves=serves)} after {self._steps.get(call)}")

    def _find_problem(self, wanted: set[str], *, serves: bool) -> str:
        processes = self.cluster.processes()
        strays = find_strays(self.cluster)
        if processes.keys() != wanted or strays:
            return f"{sorted(processes)} and {len(strays)} more run"
        if unready := [
            name for name in wanted if name.startswith(("query", "model")) and not self.cluster.is_ready(name)
        ]:
            return f"{unready} are not ready"
        try:
            return self._find_wrong_answer() if serves else ""
        except (ClipperException, RefusedError, OSError) as error:
            return str(error)

    def _find_wrong_answer(self) -> str:
        answer = predict(f"127.0.0.1:{self.cluster.ports['query_port']}", APP, input=[1.0, 0.5])
        return "" if answer["output"] == 1.5 else str(answer)

    def _check_gone(self) -> None:
        if left := self.cluster.live_processes():
            self._counts.left_over(f"{len(left)} processes after {self._steps.get('stop')}")
        if self.cluster.state.path.exists():
            self._counts.left_over(f"{self.cluster.state.path} after {self._steps.get('stop')}")
