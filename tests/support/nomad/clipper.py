"""A Clipper cluster on a real Nomad, with a model and an application, for tests that break it.

Its parts are inspected, killed and moved through Nomad's and Consul's APIs.
"""

from __future__ import annotations

import dataclasses
import datetime
import http.client
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from clipper_container.kinds.closure import save_closure
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.images import ImageSettings
from clipper_nomad.jobspecs import Timings
from tests.contract.nomad_harness import NomadHarness
from tests.support.frontends.cluster import request
from tests.support.models import Model
from tests.support.nomad.agent import AgentError
from tests.support.nomad.cluster import NomadCluster
from tests.support.processes import eventually

APP, MODEL = "app", "sums"
#: More than the delay of a query while the machine starts containers on all its cores.
SLO_MICROS = 3_000_000
_WHOLE_TIMEOUT_S = 60.0
# In Linux's table of TCP sockets: local port, remote port and state.
_SOCKET = re.compile(r"^ *\d+: \S+:(\S{4}) \S+:(\S{4}) (\S\S)", re.MULTILINE)
_ESTABLISHED = "01"


def shifted_sums(shift: float) -> Model:
    """Return the sum of each input's numbers and `shift`."""

    def predict(inputs: Any) -> list[str]:
        return [str(each + shift) for each in inputs.sum(axis=1).tolist()]

    return predict


class Clipper:
    """A cluster of `num_frontends` query frontends, whose application `app` asks the model `sums`."""

    def __init__(
        self,
        cluster: NomadCluster,
        images: ImageSettings,
        folder: Path,
        *,
        num_frontends: int = 3,
        num_replicas: int = 2,
        manager: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.nomad_cluster = cluster
        self.harness = NomadHarness(cluster, images, **settings)
        # Users' timings: those of the harness are shorter.
        self.harness.settings = dataclasses.replace(self.harness.settings, timings=Timings())
        self.num_frontends = num_frontends
        self.num_replicas = num_replicas
        self._folder = folder
        self.manager = self.harness.make_manager(**(manager or {}))
        self.connection = ClipperConnection(self.manager)
        self.version = 0

    def __enter__(self) -> Self:
        self.harness.__enter__()
        try:
            self.connection.start_clipper(num_frontend_replicas=self.num_frontends)
            self.connection.register_application(APP, "doubles", "none", SLO_MICROS)
            self.deploy_next()
            self.connection.link_model_to_app(APP, MODEL)
            self.wait_until_whole()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.harness.__exit__()

    def build_next(self) -> str:
        """Build the model's next version, which adds its number minus one, and return its image."""
        folder = self._folder / f"model-{self.version + 1}"
        save_closure(shifted_sums(self.version), folder)
        return self.connection.build_model(MODEL, self.version + 1, folder, "default")

    def deploy_next(self, image: str | None = None) -> None:
        """Deploy the model's next version, and return when it is current."""
        image = image or self.build_next()
        self.connection.deploy_model(
            MODEL, self.version + 1, "doubles", image, num_replicas=self.num_replicas
        )
        self.version += 1

    def passing(self, service: str) -> list[str]:
        """Return the addresses of a service's passing instances in Consul."""
        name = f"clipper-{self.harness.cluster_name}-{service}"
        found = self.nomad_cluster.consul.request("GET", f"/v1/health/service/{name}?passing")
        return [f"{each['Service']['Address']}:{each['Service']['Port']}" for each in found]

    def wait_until_whole(self) -> None:
        """Return once every wanted part runs and passes its checks, and every frontend has every replica."""
        eventually(lambda: not self.find_missing(), "the cluster is whole", _WHOLE_TIMEOUT_S)

    def find_missing(self) -> str:
        """Return the reason why the cluster is not whole, empty if it is."""
        try:
            for service in ("redis", "management"):
                if len(self.passing(service)) != 1:
                    return f"{service} does not pass"
            frontends = self.passing("query")
            if len(frontends) != self.num_frontends or len(self.passing("rpc")) != self.num_frontends:
                return f"{len(frontends)} frontends pass"
            have = [self.count_replicas(each) for each in frontends]
        except (OSError, http.client.HTTPException, AgentError) as error:
            return repr(error)
        return "" if have == [self.num_replicas] * self.num_frontends else f"replicas at frontends: {have}"

    def count_replicas(self, frontend: str) -> int:
        """Return how many replicas of the latest version a query frontend has in its rotation."""
        text = request(frontend, "GET", "/metrics", timeout_s=5)[1].decode()
        labels = f'{{model="{MODEL}",version="{self.version}"}}'
        found = re.search(rf"^clipper_live_replicas{re.escape(labels)} (\S+)$", text, re.MULTILINE)
        return int(float(found[1])) if found else 0

    def part(self, component: str, index: int = 0) -> str:
        """Return the harness's name of a part: `redis`, `query-frontend.0`, `model.sums.1.0`."""
        if component == "model":
            return f"model.{MODEL}.{self.version}.{index}"
        return f"{component}.{index}" if component == "query-frontend" else component

    def allocation_ids(self, component: str) -> set[str]:
        """Return the ids of a component's allocations."""
        found = self.harness.allocations().items()
        return {each["ID"] for part, each in found if part.partition(".")[0] == component}

    def kill(self, component: str) -> None:
        """End the first allocation's processes, and return once Nomad has started them again."""
        part = self.part(component)
        before = self.harness.parts()[part]
        self.harness.kill(part)
        self._wait_changed(part, lambda now: now != before)

    def move(self, component: str) -> None:
        """Make Nomad replace the first allocation; return once the new one runs and the old one has ended."""
        part = self.part(component)
        before = self.harness.allocations()[part]["ID"]
        path = f"/v1/allocation/{quote(before)}"
        self.nomad_cluster.nomad.request("PUT", f"{path}/stop")
        self._wait_changed(part, lambda now: not now.startswith(before))
        eventually(
            lambda: self.nomad_cluster.nomad.request("GET", path)["ClientStatus"] == "complete",
            f"the allocation of {part} before has ended",
            _WHOLE_TIMEOUT_S,
        )

    def _wait_changed(self, part: str, is_other: Callable[[str], bool]) -> None:
        def changed() -> bool:
            return is_other(self.harness.parts().get(part, ""))

        eventually(changed, f"{part} is another", _WHOLE_TIMEOUT_S)
        # Nomad lists an allocation before it runs, and Consul may still have the check of the one before.
        self.harness.await_running(part)

    def since_last_start_s(self) -> float:
        """Return the seconds since the latest start of a task, by Nomad's record."""
        states = [
            state
            for each in self.harness.allocations().values()
            for state in (each["TaskStates"] or {}).values()
        ]
        last = max(datetime.datetime.fromisoformat(state["StartedAt"]) for state in states)
        return (datetime.datetime.now(datetime.UTC) - last).total_seconds()

    def rpc_ports(self) -> Counter[int]:
        """Return the RPC port of each query frontend."""
        return Counter(int(each.rpartition(":")[2]) for each in self.passing("rpc"))

    def ports_reached(self, index: int) -> Counter[int]:
        """Return the ports to which a replica has connections, and how many."""
        allocation = self.harness.allocations()[self.part("model", index)]
        container = self.harness.engine.containers.get(f"model-{allocation['ID']}")
        table = container.exec_run(["cat", "/proc/net/tcp", "/proc/net/tcp6"]).output.decode()
        sockets = _SOCKET.findall(table)
        listening = {local for local, remote, _ in sockets if remote == "0000"}
        return Counter(
            int(remote, 16)
            for local, remote, state in sockets
            if state == _ESTABLISHED and local not in listening
        )

    def passes_all_checks(self) -> bool:
        """Return whether Consul's agent has made all checks of this cluster's services, and they pass."""
        checks = self.nomad_cluster.consul.request("GET", "/v1/agent/checks").values()
        prefix = f"clipper-{self.harness.cluster_name}-"
        ours = [each for each in checks if each["ServiceName"].startswith(prefix)]
        return bool(ours) and all(each["Status"] == "passing" for each in ours)
