"""The contract suite's harness for the Nomad manager: a cluster of jobs, observed through Nomad's own API.

Each harness has a cluster name and a TCP port of Fabio of its own; nothing of it is left when its block ends.
"""

from __future__ import annotations

import contextlib
import random
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Self, get_args
from urllib.parse import quote

import docker

from clipper_nomad.images import ImageSettings
from clipper_nomad.jobspecs import Service, service_name
from clipper_nomad.managers.nomad import (
    ConsulAccess,
    ConsulDNS,
    FabioLoadBalancer,
    NomadContainerManager,
    NomadSettings,
    Timings,
)
from tests.support.nomad.cluster import NomadCluster
from tests.support.processes import eventually

_CLUSTER, _COMPONENT = "clipper-nomad.cluster", "clipper-nomad.component"
_MODEL = ("clipper-nomad.model.name", "clipper-nomad.model.version")
#: Short, since only the load balancer on this machine must notice.
TIMINGS = Timings(shutdown_delay_s=1)
#: Short, since there is room for a test's replicas at once, or never.
PLACEMENT_TIMEOUT_S = 3.0
_CATALOG_TIMEOUT_S = 10.0
_reserved: set[int] = set()


class NomadHarness:
    """A cluster of jobs on a real Nomad.

    Its state ends with it, unless its settings have a volume, which takes Nomad five to ten seconds to make.
    """

    version_function = "clipper_nomad.managers.nomad.cluster.records.project_version"
    elsewhere: Mapping[str, int] = {"redis_port": 6390}

    def __init__(self, cluster: NomadCluster, images: ImageSettings | None = None, **settings: Any) -> None:
        self.place = cluster
        self.cluster_name = f"tests-{uuid.uuid4().hex[:8]}"
        self.settings = NomadSettings(
            **{
                "images": images or ImageSettings(),
                "timings": TIMINGS,
                "placement_timeout_s": PLACEMENT_TIMEOUT_S,
                **settings,
            }
        )
        self.tcp_port = _reserve_port(cluster)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.make_manager().remove_leftovers()
        _reserved.discard(self.tcp_port)
        for image in self.engine.images.list(filters={"reference": f"{self.cluster_name}-*"}):
            self.engine.images.remove(image.id, force=True)

    @property
    def engine(self) -> docker.DockerClient:
        """Return a client of the Docker engine that Nomad uses."""
        return self.place.docker

    def make_manager(self, **settings: Any) -> NomadContainerManager:
        place = self.place
        return NomadContainerManager(
            **{
                "nomad_ip": f"{place.address}:{place.plan.ports.nomad_http}",
                "dns": ConsulDNS(
                    f"{place.address}:{place.plan.ports.consul_dns}",
                    access=ConsulAccess(place.address, place.plan.ports.consul_http),
                ),
                "load_balancer": FabioLoadBalancer(place.address, place.plan.ports.fabio_http, self.tcp_port),
                "cluster_name": self.cluster_name,
                "settings": self.settings,
                **settings,
            }
        )

    def connect_script(self) -> str:
        address, ports = self.place.address, self.place.plan.ports
        return (
            "from clipper_nomad.managers.nomad import ConsulAccess, ConsulDNS, NomadContainerManager\n"
            # Another port than Consul's own: else the address of Nomad would be enough.
            f"dns = ConsulDNS(access=ConsulAccess({address!r}, {ports.consul_http}))\n"
            f"nomad = '{address}:{ports.nomad_http}'\n"
            f"manager = NomadContainerManager(nomad, dns, cluster_name={self.cluster_name!r})\n"
            "manager.connect()\n"
        )

    def jobs(self) -> list[dict[str, Any]]:
        """Return the cluster's jobs in Nomad's list, including those asleep or stopped."""
        found = self.place.nomad.request("GET", "/v1/jobs?meta=true")
        return [job for job in found if (job["Meta"] or {}).get(_CLUSTER) == self.cluster_name]

    def allocations(self) -> dict[str, dict[str, Any]]:
        """Return the allocations that run or will, by their part of the cluster."""
        found = {}
        for job in self.jobs():
            listed = self.place.nomad.request("GET", f"/v1/job/{quote(job['ID'], safe='')}/allocations")
            for each in listed:
                if each["DesiredStatus"] == "run" and each["ClientStatus"] in ("pending", "running"):
                    found[_part(job["Meta"], each["Name"])] = each
        return found

    def parts(self) -> dict[str, str]:
        return {part: f"{each['ID']} {_num_restarts(each)}" for part, each in self.allocations().items()}

    def kill(self, part: str) -> None:
        allocation = self.await_running(part)
        (task,) = allocation["TaskStates"]
        self.engine.containers.get(f"{task}-{allocation['ID']}").kill()

    def await_running(self, part: str) -> dict[str, Any]:
        """Return a part's allocation once its task runs."""
        found: list[dict[str, Any]] = []

        def runs() -> bool:
            found[:] = [each for name, each in self.allocations().items() if name == part]
            return any(_runs(each) for each in found)

        eventually(runs, f"{part} runs")
        return found[0]

    @contextlib.contextmanager
    def taken_port(self) -> Iterator[str]:
        service_id = f"taken-{self.cluster_name}"
        service = {"ID": service_id, "Name": service_id, "Tags": [f"urlprefix-:{self.tcp_port} proto=tcp"]}
        self.place.consul.request("PUT", "/v1/agent/service/register", service)
        try:
            yield rf"TCP port {self.tcp_port} of .* is the route of the service '{service_id}'"
        finally:
            self.place.consul.request("PUT", f"/v1/agent/service/deregister/{service_id}")

    def is_gone(self) -> bool:
        # Exact names: another cluster's name may begin alike.
        own = {service_name(self.cluster_name, each) for each in get_args(Service)}
        volumes = {each["Name"] for each in self.place.nomad.request("GET", "/v1/volumes?type=host")}
        if self.jobs() or own & volumes:
            return False
        # Nomad notifies Consul's agent before it ends a task; the catalog follows later.
        with contextlib.suppress(TimeoutError):
            eventually(lambda: own.isdisjoint(self._services()), "the services are gone", _CATALOG_TIMEOUT_S)
            return True
        return False

    def _services(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self.place.consul.request("GET", "/v1/catalog/services")
        return found


def _part(meta: Mapping[str, str], allocation_name: str) -> str:
    component = meta[_COMPONENT]
    index = allocation_name.rpartition("[")[2].rstrip("]")
    if component == "model":
        return ".".join(["model", *(meta[key] for key in _MODEL), index])
    return f"{component}.{index}" if component == "query-frontend" else component


def _runs(allocation: Mapping[str, Any]) -> bool:
    # Nomad reports an allocation as running while its task waits for a restart.
    states = (allocation["TaskStates"] or {}).values()
    return bool(states) and all(state["State"] == "running" for state in states)


def _num_restarts(allocation: Mapping[str, Any]) -> int:
    return sum(state["Restarts"] for state in (allocation["TaskStates"] or {}).values())


def _reserve_port(cluster: NomadCluster) -> int:
    """Return a TCP port of Fabio that no service and no other harness of this process has."""
    tags = [tag for each in cluster.consul.request("GET", "/v1/catalog/services").values() for tag in each]
    taken = {int(match[1]) for tag in tags if (match := re.match(r"urlprefix-:(\d+) ", tag))}
    # Random, so that another process that looks at the same time probably chooses another one.
    port = random.choice([each for each in cluster.plan.ports.fabio_tcp if each not in taken | _reserved])
    _reserved.add(port)
    return port
