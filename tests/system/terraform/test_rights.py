"""The rights that terraform/access gives to agents, the admin library, observers, and to nobody else.

And the whole way from there: `clipper-nomad env`, NomadContainerManager.from_env(), a cluster that answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers import python as python_deployer
from clipper_nomad.managers.nomad import ConsulDNS, NomadContainerManager
from clipper_nomad.types import ModelVersion
from tests.contract.raw_exec_harness import RawExecHarness
from tests.support.frontends.cluster import predict
from tests.support.models import row_sums
from tests.support.nomad.agent import AgentError
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.consul_agent import ForeignDNS
from tests.support.tofu.access import Access, access_variables, applied_access, find_tofu

_SUMS = ModelVersion("sums", "1")
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def cluster(secure_nomad_cluster: NomadCluster) -> NomadCluster:
    return secure_nomad_cluster


@pytest.fixture(scope="module")
def tofu() -> Path:
    return find_tofu()


@pytest.fixture(scope="module")
def variables(cluster: NomadCluster) -> dict[str, Any]:
    return access_variables(cluster)


@pytest.fixture(scope="module")
def access(
    tofu: Path, variables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Access]:
    with applied_access(tofu, tmp_path_factory.mktemp("access") / "terraform", variables) as root:
        yield root


def check_refused(asked: list[Callable[[], object]]) -> None:
    for request in asked:
        with pytest.raises(AgentError, match="403"):
            request()


def test_the_library_and_observers_may_do_no_more(access: Access, cluster: NomadCluster) -> None:
    tokens = access.outputs()["tokens"]
    consul, nomad = cluster.consul, cluster.nomad
    library = {"consul": tokens["consul_library"], "nomad": tokens["nomad_library"]}
    service = {"Name": "clipper-default-cluster-query", "Port": 1}
    refusals: list[Callable[[], object]] = [
        lambda: consul.request("PUT", "/v1/agent/service/register", service, token=library["consul"]),
        lambda: consul.request("GET", "/v1/acl/tokens", token=library["consul"]),
        lambda: nomad.request("GET", "/v1/nodes", token=library["nomad"]),
        lambda: nomad.request("GET", "/v1/acl/tokens", token=tokens["nomad_observer"]),
        lambda: nomad.request("PUT", "/v1/system/gc", token=tokens["nomad_observer"]),
        lambda: nomad.request("GET", "/v1/jobs", token=""),
        lambda: consul.request("GET", "/v1/acl/tokens", token=""),
    ]
    check_refused(refusals)
    assert "nomad" not in consul.request("GET", "/v1/catalog/services", token=library["consul"])
    for path in ("/v1/jobs?namespace=*", "/v1/nodes", "/v1/node/pools", "/v1/agent/members"):
        nomad.request("GET", path, token=tokens["nomad_observer"])
    # Requests without a token may resolve names.
    assert "nomad" in consul.request("GET", "/v1/catalog/services", token="")


def test_agents_may_do_their_work_and_no_more(
    access: Access, cluster: NomadCluster, variables: dict[str, Any]
) -> None:
    del access
    consul = cluster.consul
    client, server, fabio = (
        variables[f"consul_{user}_token"] for user in ("nomad_client", "nomad_server", "fabio")
    )

    def register(name: str, token: str) -> None:
        made = f"tests-access-{name}"
        consul.request("PUT", "/v1/agent/service/register", {"ID": made, "Name": name}, token=token)
        consul.request("PUT", f"/v1/agent/service/deregister/{made}", token=token)

    # The node is a client.
    assert consul.request("GET", "/v1/agent/self", token=client)
    for name, token in (
        ("clipper-tests", client),
        ("nomad-client", client),
        ("nomad", server),
        ("fabio", fabio),
    ):
        register(name, token)
    assert consul.request("GET", "/v1/health/service/nomad", token=client)
    assert "nomad" in consul.request("GET", "/v1/catalog/services", token=fabio)
    with pytest.raises(AgentError, match="404"):
        consul.request("GET", "/v1/kv/fabio/config", token=fabio)
    node = {"Node": "tests-edge", "Address": "127.0.0.9"}
    refusals: list[Callable[[], object]] = [
        lambda: register("other", client),
        lambda: register("nomad", client),
        lambda: register("clipper-tests", server),
        lambda: register("clipper-tests", fabio),
        lambda: consul.request("GET", "/v1/agent/self", token=server),
        lambda: consul.request("PUT", "/v1/kv/fabio/config", "x", token=fabio),
        lambda: consul.request("PUT", "/v1/catalog/register", node, token=fabio),
        lambda: consul.request(
            "PUT", "/v1/catalog/register", node, token=variables["consul_agent_tokens"]["tests-client"]
        ),
    ]
    check_refused(refusals)


def test_a_cluster_is_started_by_what_env_prints(
    tofu: Path,
    access: Access,
    cluster: NomadCluster,
    variables: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dns = f"{cluster.address}:{cluster.plan.ports.consul_dns}"
    with RawExecHarness(cluster, tmp_path / "archives") as harness, ForeignDNS() as foreign:
        environment = {
            "CLIPPER_DRIVER": "raw_exec",
            "CLIPPER_ARTIFACT_DIR": str(harness.settings.artifact_dir),
            "CLIPPER_ARTIFACT_URL": str(harness.settings.artifact_url),
        }
        fabio = variables["fabio"] | {"tcp_port": harness.tcp_port}
        access.apply(variables | {"environment": environment, "fabio": fabio})
        evaluate(tofu, access.directory, monkeypatch)
        # Here names are resolved by Consul's HTTP API, which needs its token; tasks ask Consul's DNS.
        manager = NomadContainerManager.from_env(
            harness.cluster_name, dns=ConsulDNS(foreign.address, container_server=dns)
        )
        connection = ClipperConnection(manager)
        connection.start_clipper()
        connection.register_application("app", "doubles", "none", 5_000_000)
        python_deployer.deploy_python_closure(connection, "sums", 1, "doubles", row_sums())
        connection.link_model_to_app("app", "sums")
        assert predict(connection.get_query_addr(), "app", input=[1.0, 2.0])["output"] == 3.0
        connection.set_num_replicas("sums", 2)
        assert connection.cm.tail_logs(_SUMS) != ""
        connection.stop_all()
        assert harness.is_gone()
    assert "Could not check for conflicting Fabio routes" not in caplog.text
    assert "Could not read the health checks" not in caplog.text


def evaluate(tofu: Path, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Set the variables of a shell that has evaluated the output of `clipper-nomad env`, and no others."""
    for name in [name for name in os.environ if name.startswith(("NOMAD_", "CONSUL_", "CLIPPER_"))]:
        patch.delenv(name)
    python = sys.executable
    script = f'eval "$({python} -m clipper_nomad.cli env --terraform "$0")"; exec {python} -c "$1"'
    dump = "import json, os; print(json.dumps(dict(os.environ)))"
    path = os.pathsep.join((str(tofu.parent), os.environ["PATH"]))
    shell = subprocess.run(
        ["sh", "-c", script, str(folder), dump],
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        check=True,
    )
    for name, value in json.loads(shell.stdout).items():
        if name.startswith(("NOMAD_", "CONSUL_", "CLIPPER_")):
            patch.setenv(name, value)
