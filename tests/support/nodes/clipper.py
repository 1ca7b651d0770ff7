"""Clipper on a cluster of nodes: two query frontends and two replicas of a model, processes of raw_exec.

It is started with the environment that terraform/access made.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ClipperWarning
from clipper_nomad.managers.nomad import NomadContainerManager
from tests.contract.raw_exec_harness import ArchiveServer
from tests.support.frontends.cluster import request
from tests.support.nodes.api import APIError
from tests.support.nodes.cluster import NodeCluster
from tests.support.nodes.plan import MACHINE_ADDRESS
from tests.support.nomad.clipper import APP, MODEL, SLO_MICROS, shifted_sums
from tests.support.processes import eventually

#: One of each for each client.
NUM_EACH = 2
_WHOLE_TIMEOUT_S = 60.0
_FOREIGN = ("NOMAD_", "CONSUL_", "CLIPPER_")
_RUNNING = ("pending", "running")


class NodeClipper:
    """A Clipper cluster on nodes, which ends with them. Its application `app` asks the model `sums`."""

    def __init__(self, nodes: NodeCluster, folder: Path) -> None:
        self._nodes = nodes
        self._folder = folder
        self._archives = ArchiveServer(MACHINE_ADDRESS, folder / "archives")
        self.version = 0
        self.connection = self.connect()

    def __enter__(self) -> Self:
        begun_s = time.monotonic()
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._archives)
            # Clipper warns of parts that only one node has; the tests need these.
            with warnings.catch_warnings(action="ignore", category=ClipperWarning):
                self.connection.start_clipper(num_frontend_replicas=NUM_EACH)
            self.connection.register_application(APP, "doubles", "none", SLO_MICROS)
            self.deploy_next()
            self.connection.link_model_to_app(APP, MODEL)
            self.wait_until_whole()
            self.start_s = time.monotonic() - begun_s
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def environment(self) -> Iterator[None]:
        """Set the variables of `clipper-nomad env`, and those of a driver without images, for a block."""
        own = {
            "CLIPPER_DRIVER": "raw_exec",
            "CLIPPER_ARTIFACT_DIR": str(self._folder / "archives"),
            "CLIPPER_ARTIFACT_URL": self._archives.url,
        }
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
                patch.delenv(name)
            for name, value in {**self._nodes.environment(), **own}.items():
                patch.setenv(name, value)
            yield

    def connect(self) -> ClipperConnection:
        """Return a new connection, not connected yet, with the current environment."""
        with self.environment():
            return ClipperConnection(NomadContainerManager.from_env())

    def connect_again(self) -> None:
        """Connect again with the current environment: the server that was asked may be dead."""
        self.connection = self.connect()
        self.connection.connect()

    def deploy_next(self) -> None:
        """Deploy the model's next version, which adds its number minus one; return when it is current."""
        folder = self._folder / f"model-{self.version + 1}"
        save_closure(shifted_sums(self.version), folder)
        archive = self.connection.build_model(MODEL, self.version + 1, folder, "default")
        self.connection.deploy_model(MODEL, self.version + 1, "doubles", archive, num_replicas=NUM_EACH)
        self.version += 1

    def spread(self) -> None:
        """Spread the parts over the nodes again: Nomad spreads only what it starts, so scale down and up."""
        for count in (1, NUM_EACH):
            with warnings.catch_warnings(action="ignore", category=ClipperWarning):
                self.connection.start_clipper(num_frontend_replicas=count)
            self.connection.set_num_replicas(MODEL, count)

    def places(self, part: str) -> list[str]:
        """Return the nodes that have `redis`, a `query-frontend` or a `model`, of the latest version."""
        names = {node["ID"]: node["Name"] for node in self._nodes.nomad().get("/v1/nodes")}
        return sorted(
            names[each["NodeID"]]
            for each in self._nodes.nomad().get("/v1/allocations")
            if each["TaskGroup"] == part
            and (part != "model" or each["JobID"].endswith(f".{MODEL}.{self.version}"))
            and each["DesiredStatus"] == "run"
            and each["ClientStatus"] in _RUNNING
        )

    def await_places(self, part: str, nodes: list[str], timeout_s: float) -> None:
        """Return once exactly these nodes have a part; meanwhile there may be no leader to ask."""

        def is_so() -> bool:
            with contextlib.suppress(APIError):
                return self.places(part) == nodes
            return False

        eventually(is_so, f"{part} is on {nodes}", timeout_s)

    def wait_until_whole(self) -> None:
        """Return once every part passes its checks, and every frontend has every replica."""
        eventually(lambda: not self.find_missing(), "Clipper is whole", _WHOLE_TIMEOUT_S)

    def find_missing(self) -> str:
        """Return the reason why the cluster is not whole, empty if it is."""
        try:
            for service in ("redis", "management"):
                if len(self._passing(service)) != 1:
                    return f"{service} does not pass"
            frontends = self._passing("query")
            if len(frontends) != NUM_EACH:
                return f"{len(frontends)} frontends pass"
            have = [self._count_replicas(each) for each in frontends]
        except (OSError, http.client.HTTPException, APIError) as error:
            return repr(error)
        return "" if have == [NUM_EACH] * NUM_EACH else f"replicas at frontends: {have}"

    def _passing(self, service: str) -> list[str]:
        found = self._nodes.consul().get(f"/v1/health/service/clipper-default-cluster-{service}?passing")
        return [f"{each['Service']['Address']}:{each['Service']['Port']}" for each in found]

    def _count_replicas(self, frontend: str) -> int:
        text = request(frontend, "GET", "/metrics", timeout_s=2)[1].decode()
        labels = re.escape(f'{{model="{MODEL}",version="{self.version}"}}')
        found = re.search(rf"^clipper_live_replicas{labels} (\S+)$", text, re.MULTILINE)
        return int(float(found[1])) if found else 0
