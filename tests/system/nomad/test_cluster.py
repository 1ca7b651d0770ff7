"""The real cluster of tests itself: the features that other tests rely on."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
import pytest
import requests

from tests.support.docker.engine import cache_dir
from tests.support.nomad.acl import add_consul_token, add_nomad_token
from tests.support.nomad.agent import AgentError
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.plan import ClusterPlan, Ports
from tests.support.processes import Process, eventually

_TIMEOUT_S = 10
#: A cluster beside the others, for a test that kills all of it.
CRASHING = ClusterPlan(
    "crashing", ports=Ports().moved(3000, (19000, 19999)), devices=0, denied_drivers=("docker",)
)
# Kills all agents while a job runs; then its own process is killed too.
_CRASH = """
import signal
from tests.support.nomad.cluster import NomadCluster
from tests.system.nomad.test_cluster import CRASHING, start_process
with NomadCluster(CRASHING) as cluster:
    start_process(cluster).wait_until_answering()
    for agent in cluster.agents:
        agent.kill()
    print("crashed")
    signal.pause()
"""


class WebJob:
    """A job that serves a folder over HTTP, routed by Fabio at a path of its own."""

    def __init__(self, cluster: NomadCluster, task: dict[str, Any], port: dict[str, Any]) -> None:
        self.name = f"web-{uuid.uuid4().hex[:8]}"
        self._cluster = cluster
        check = {"Type": "http", "Path": "/", "Interval": 10**9, "Timeout": 10**9}
        tags = [f"urlprefix-/{self.name}/ strip=/{self.name}"]
        service = {"Name": self.name, "PortLabel": "http", "Tags": tags, "Checks": [check]}
        group = {
            "Name": "web",
            "Networks": [{"DynamicPorts": [{"Label": "http", **port}]}],
            "Services": [service],
            "Tasks": [{"Name": "web", "Resources": {"CPU": 50, "MemoryMB": 64}, **task}],
        }
        job = {"ID": self.name, "Type": "service", "Datacenters": ["*"], "TaskGroups": [group]}
        cluster.nomad.request("PUT", "/v1/jobs", {"Job": job})

    @property
    def url(self) -> str:
        """Return the URL through Fabio."""
        return f"http://{self._cluster.address}:{self._cluster.plan.ports.fabio_http}/{self.name}/"

    def wait_until_answering(self) -> None:
        """Return once Fabio forwards requests, and Nomad reports that the task runs."""
        eventually(self._answers, f"{self.url} answers")
        eventually(lambda: self.allocation()[1] == "running", f"{self.name} runs")

    def allocation(self) -> tuple[str, str, int | None]:
        """Return id, state and restarts of the only allocation."""
        (found,) = self._cluster.nomad.request("GET", f"/v1/job/{self.name}/allocations")
        states = found["TaskStates"] or {}
        return found["ID"], found["ClientStatus"], states["web"]["Restarts"] if states else None

    def stop(self) -> None:
        """Stop the job."""
        self._cluster.nomad.request("DELETE", f"/v1/job/{self.name}?purge=true")

    def _answers(self) -> bool:
        return requests.get(self.url, timeout=_TIMEOUT_S).status_code == 200


def start_process(cluster: NomadCluster) -> WebJob:
    """Start a job of the driver raw_exec."""
    arguments = ["-m", "http.server", "--bind", "${NOMAD_IP_http}", "${NOMAD_PORT_http}"]
    task = {"Driver": "raw_exec", "Config": {"command": sys.executable, "args": arguments}}
    return WebJob(cluster, task, {})


@pytest.fixture
def web(nomad_cluster: NomadCluster) -> Iterator[WebJob]:
    """A process that answers through Fabio."""
    job = start_process(nomad_cluster)
    try:
        job.wait_until_answering()
        yield job
    finally:
        job.stop()


def test_three_user_interfaces_answer(nomad_cluster: NomadCluster) -> None:
    site = nomad_cluster.site
    for url in (f"{site.nomad_url}/ui/", f"{site.consul_url}/ui/", f"{site.fabio_ui_url}/routes"):
        page = requests.get(url, timeout=_TIMEOUT_S)
        assert page.status_code == 200, url
        assert "<html" in page.text, url


def test_node_has_drivers_and_devices(nomad_cluster: NomadCluster) -> None:
    listed = nomad_cluster.nomad.request("GET", "/v1/nodes")
    node = nomad_cluster.nomad.request("GET", f"/v1/node/{listed[0]['ID']}")
    assert {"docker", "raw_exec"} <= {name for name, driver in node["Drivers"].items() if driver["Healthy"]}
    (group,) = node["NodeResources"]["Devices"]
    assert (group["Vendor"], group["Type"], group["Name"]) == ("nomad", "file", "mock")
    assert len(group["Instances"]) == nomad_cluster.plan.devices


def test_fabio_resolves_over_tcp(nomad_cluster: NomadCluster) -> None:
    question = dns.message.make_query("fabio.service.consul", "SRV")
    answer = dns.query.tcp(
        question, nomad_cluster.address, port=nomad_cluster.plan.ports.consul_dns, timeout=_TIMEOUT_S
    )
    assert [record.port for each in answer.answer for record in each] == [nomad_cluster.plan.ports.fabio_http]
    addresses = [record for each in answer.additional if each.rdtype == dns.rdatatype.A for record in each]
    assert [record.address for record in addresses] == [nomad_cluster.address]


def test_container_is_routed_through_fabio(nomad_cluster: NomadCluster, base_image: str) -> None:
    config = {"image": base_image, "ports": ["http"], "command": "python3", "args": ["-m", "http.server"]}
    job = WebJob(nomad_cluster, {"Driver": "docker", "Config": config}, {"To": 8000})
    try:
        job.wait_until_answering()
    finally:
        job.stop()


@pytest.mark.parametrize("agent", ["consul", "nomad", "fabio"])
def test_job_outlives_agents(nomad_cluster: NomadCluster, web: WebJob, agent: str) -> None:
    found = next(each for each in nomad_cluster.agents if each.name == agent)
    before = found.pid, web.allocation()
    found.restart()
    restarted = found.pid
    found.kill()
    assert found.pid is None
    found.start()
    assert len({before[0], restarted, found.pid}) == 3
    web.wait_until_answering()
    assert web.allocation() == before[1]


def test_dynamic_host_volume(nomad_cluster: NomadCluster) -> None:
    capability = {"AccessMode": "single-node-writer", "AttachmentMode": "file-system"}
    volume = {
        "Name": f"kept-{uuid.uuid4().hex[:8]}",
        "PluginID": "mkdir",
        "RequestedCapabilities": [capability],
    }
    made = nomad_cluster.nomad.request("PUT", "/v1/volume/host/create", {"Volume": volume})["Volume"]
    assert Path(made["HostPath"]).is_dir()
    nomad_cluster.nomad.request("DELETE", f"/v1/volume/host/{made['ID']}/delete")
    assert not Path(made["HostPath"]).exists()


def test_secure_nomad_asks_for_token_and_ca(secure_nomad_cluster: NomadCluster) -> None:
    nomad = secure_nomad_cluster.nomad
    with pytest.raises(AgentError, match="403"):
        nomad.request("GET", "/v1/jobs", token="")
    assert nomad.request("GET", "/v1/nodes")
    reader = add_nomad_token(nomad, "reader", 'namespace "default" { policy = "read" }')
    nomad.request("GET", "/v1/jobs", token=reader)
    with pytest.raises(AgentError, match="403"):
        nomad.request("GET", "/v1/nodes", token=reader)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{secure_nomad_cluster.site.nomad_url}/v1/jobs", timeout=_TIMEOUT_S)


def test_secure_consul_asks_for_token(secure_nomad_cluster: NomadCluster) -> None:
    consul = secure_nomad_cluster.consul
    name = f"reader-{uuid.uuid4().hex[:8]}"
    for token in ("", add_consul_token(consul, name, 'service_prefix "" { policy = "read" }')):
        with pytest.raises(AgentError, match="403"):
            consul.request("PUT", "/v1/agent/service/register", {"Name": "intruder"}, token=token)
    # A check a second: it may miss one on a busy machine.
    eventually(lambda: consul.has_passing("fabio"), "Consul finds that Fabio passes its check")


def test_secure_job_is_routed_through_fabio(secure_nomad_cluster: NomadCluster) -> None:
    job = start_process(secure_nomad_cluster)
    try:
        job.wait_until_answering()
    finally:
        job.stop()


@pytest.mark.usefixtures("nomad_cluster")
def test_the_leftovers_of_a_crash_are_removed() -> None:
    directory = cache_dir() / "nomad" / CRASHING.name
    with Process("user", [sys.executable, "-c", _CRASH], {"PYTHONPATH": os.pathsep.join(sys.path)}) as user:
        user.wait_for_line("crashed", timeout_s=60)
    assert _processes_of(directory), "the job outlives Nomad"
    with NomadCluster(CRASHING) as cluster:
        assert cluster.nomad.request("GET", "/v1/jobs") == []
    assert not _processes_of(directory)
    assert str(directory) not in Path("/proc/mounts").read_text()
    assert not directory.exists()


def _processes_of(directory: Path) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if str(directory).encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_text())
            except OSError:
                continue
    return found
