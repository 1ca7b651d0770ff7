"""A cluster whose Nomad and Consul ask for tokens, with TLS on Nomad: tokens that suffice, and errors."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers import python as python_deployer
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad import (
    ConsulDNS,
    DockerDriver,
    DynamicVolume,
    NomadContainerManager,
    NomadSettings,
)
from clipper_nomad.types import ClusterSpec, ModelVersion
from tests.contract.raw_exec_harness import RawExecHarness
from tests.support.frontends.cluster import predict
from tests.support.models import row_sums
from tests.support.nomad.acl import add_consul_token, add_nomad_token, anonymous_rights
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.consul_agent import ForeignDNS

CAPABILITIES = ("list-jobs", "read-job", "submit-job", "read-logs")
# The policy of the Nomad manager's README: all that is needed, and no more.
NOMAD_POLICY = """
namespace "default" {
  capabilities = ["list-jobs", "read-job", "submit-job", "read-logs"]
}
"""
# The policy besides, if the manager makes a volume for Redis.
VOLUME_POLICY = """
namespace "default" {
  capabilities = ["host-volume-create", "host-volume-delete"]
}

host_volume "clipper-*" {
  policy = "write"
}
"""
# The policy of all who ask Consul: its DNS for the tasks, and the manager.
CONSUL_POLICY = """
service_prefix "clipper-" {
  policy = "read"
}

service "fabio" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
"""
SUMS = ModelVersion("sums", "1")
_NO_TOKEN = "00000000-0000-0000-0000-00000000dead"
_PINNED = f"registry.example/any@sha256:{'0a' * 32}"
pytestmark = pytest.mark.timeout(240)


class Secured:
    """The secure cluster, used with few rights."""

    def __init__(self, cluster: NomadCluster) -> None:
        self.cluster = cluster
        self.dns = f"{cluster.address}:{cluster.plan.ports.consul_dns}"
        self.consul_token = add_consul_token(cluster.consul, _new_name(), CONSUL_POLICY)

    def nomad_token(self, *policies: str) -> str:
        """Return a Nomad token with these policies alone."""
        return add_nomad_token(self.cluster.nomad, _new_name(), "\n".join(policies))

    def token_without(self, capability: str) -> str:
        """Return a Nomad token without one of the capabilities that are needed."""
        return self.nomad_token(NOMAD_POLICY.replace(f'"{capability}"', '"alloc-lifecycle"'))

    def environment(self, nomad_token: str) -> dict[str, str]:
        """Return the environment of a user with these tokens."""
        known = self.cluster.environment
        return {
            "NOMAD_ADDR": known["NOMAD_ADDR"],
            "NOMAD_CACERT": known["NOMAD_CACERT"],
            "NOMAD_TOKEN": nomad_token,
            "CONSUL_HTTP_ADDR": known["CONSUL_HTTP_ADDR"],
            "CONSUL_HTTP_TOKEN": self.consul_token,
        }


def _new_name() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


def set_environment(patch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith(("NOMAD_", "CONSUL_", "CLIPPER_"))]:
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)


@pytest.fixture(scope="module")
def secured(secure_nomad_cluster: NomadCluster) -> Secured:
    return Secured(secure_nomad_cluster)


@pytest.fixture(scope="module")
def foreign_dns() -> Iterator[str]:
    """A DNS server without Consul's names, as most people have."""
    with ForeignDNS() as server:
        yield server.address


@pytest.fixture(scope="module")
def open_dns(secured: Secured) -> Iterator[None]:
    """Give Consul's DNS, which the tasks ask, the rights of the README's policy."""
    with anonymous_rights(secured.cluster.consul, _new_name(), CONSUL_POLICY):
        yield


@pytest.fixture(autouse=True)
def least(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set an environment with the rights of the README, and no others."""
    set_environment(monkeypatch, secured.environment(secured.nomad_token(NOMAD_POLICY)))


@pytest.fixture(scope="module")
def running(
    secured: Secured, open_dns: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RawExecHarness]:
    """A cluster that runs, with one model."""
    del open_dns
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        set_environment(patch, secured.environment(secured.nomad_token(NOMAD_POLICY)))
        made = stack.enter_context(RawExecHarness(secured.cluster, tmp_path_factory.mktemp("archives")))
        connection = ClipperConnection(made.make_manager())
        connection.start_clipper()
        python_deployer.deploy_python_closure(connection, "sums", 1, "doubles", row_sums())
        patch.undo()
        yield made
        set_environment(patch, secured.environment(secured.nomad_token(NOMAD_POLICY)))


def connected(harness: RawExecHarness, dns: ConsulDNS | None = None) -> NomadContainerManager:
    manager = harness.make_manager(**{"dns": dns} if dns else {})
    manager.connect()
    return manager


@pytest.mark.usefixtures("open_dns")
@pytest.mark.parametrize("asks_consul", ["by DNS", "over HTTP"])
def test_the_least_policies_suffice_for_a_whole_life(
    secured: Secured,
    foreign_dns: str,
    asks_consul: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if asks_consul == "by DNS":
        monkeypatch.delenv("CONSUL_HTTP_TOKEN")
        dns = ConsulDNS(secured.dns)
    else:
        dns = ConsulDNS(foreign_dns, container_server=secured.dns)
    with RawExecHarness(secured.cluster, tmp_path / "archives") as harness:
        connection = ClipperConnection(harness.make_manager(dns=dns))
        connection.start_clipper()
        connection.register_application("app", "doubles", "none", 5_000_000)
        python_deployer.deploy_python_closure(connection, "sums", 1, "doubles", row_sums())
        connection.link_model_to_app("app", "sums")
        assert predict(connection.get_query_addr(), "app", input=[1.0, 2.0])["output"] == 3.0
        connection.set_num_replicas("sums", 2)
        connection.set_num_replicas("sums", 1)
        assert connection.cm.tail_logs(SUMS) != ""
        assert len(connection.get_clipper_logs(str(tmp_path / "logs"))) >= 4
        connection.start_clipper(cache_size=1_000_000)
        connection.stop_all()
        assert harness.is_gone()
    assert "Could not check for conflicting Fabio routes" not in caplog.text
    assert "Could not read the health checks" not in caplog.text


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NOMAD_TOKEN", None, r"no token was given; set NOMAD_TOKEN to one whose policy has.*submit-job"),
        ("NOMAD_TOKEN", _NO_TOKEN, r"the token in NOMAD_TOKEN does not suffice"),
        ("NOMAD_CACERT", None, r"certificate is not trusted .* Set NOMAD_CACERT"),
        ("NOMAD_ADDR", "http", r"speaks HTTPS.*set NOMAD_ADDR to an https://"),
        ("NOMAD_TLS_SERVER_NAME", "nomad.example", r"for another name .* Set NOMAD_TLS_SERVER_NAME"),
    ],
)
def test_errors_name_the_right_that_nomad_misses(
    secured: Secured, variable: str, value: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    if value is None:
        monkeypatch.delenv(variable)
    else:
        https = secured.cluster.environment["NOMAD_ADDR"]
        monkeypatch.setenv(variable, https.replace("https", "http") if value == "http" else value)
    connection = ClipperConnection(NomadContainerManager.from_env())
    with pytest.raises(ContainerManagerError, match=said):
        connection.start_clipper()
    with pytest.raises(ContainerManagerError, match=said):
        connection.connect()


def test_the_servers_name_may_be_given_and_its_certificate_ignored(
    running: RawExecHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOMAD_TLS_SERVER_NAME", "server.global.nomad")
    assert connected(running).get_replicas() == {SUMS: 1}
    monkeypatch.delenv("NOMAD_CACERT")
    monkeypatch.setenv("NOMAD_SKIP_VERIFY", "true")
    with pytest.warns(match="Unverified HTTPS request"):
        assert connected(running).get_replicas() == {SUMS: 1}


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_capability_that_is_missing_is_named(
    running: RawExecHarness,
    secured: Secured,
    capability: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = running.parts()
    monkeypatch.setenv("NOMAD_TOKEN", secured.token_without(capability))
    said = rf"NOMAD_TOKEN does not suffice.*{capability}"
    if capability in ("list-jobs", "read-job"):
        with pytest.raises(ContainerManagerError, match=said):
            connected(running)
        return
    connection = ClipperConnection(running.make_manager())
    connection.connect()
    if capability == "read-logs":
        with pytest.raises(ContainerManagerError, match=f"Cannot read the log.*{said}"):
            connection.get_clipper_logs(str(tmp_path))
        with pytest.raises(ContainerManagerError, match=f"Cannot read the log.*{said}"):
            connection.cm.tail_logs(SUMS)
        return
    # submit-job includes scale-job: without it nothing scales, and no job changes.
    for number in (2, 0):
        with pytest.raises(ContainerManagerError, match=said):
            connection.set_num_replicas("sums", number, 1)
    with pytest.raises(ContainerManagerError, match=said):
        python_deployer.deploy_python_closure(connection, "sums", 2, "doubles", row_sums())
    with pytest.raises(ContainerManagerError, match=f"Cannot stop the job.*{said}"):
        connection.stop_all()
    with pytest.raises(ContainerManagerError, match=said):
        connection.start_clipper(num_frontend_replicas=2)
    assert running.parts() == before


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (None, r"its ACLs are on, and no token is set.*Set CONSUL_HTTP_TOKEN to .*read for service_prefix"),
        ("", r"its ACLs refuse the token given.*Set CONSUL_HTTP_TOKEN to .*read for service_prefix"),
        ('node_prefix "" { policy = "read" }', r"its ACLs refuse the token given.*read for service_prefix"),
        (CONSUL_POLICY.partition("node_prefix")[0], r"its ACLs refuse the token given.*node_prefix"),
        (CONSUL_POLICY, None),
    ],
    ids=["no token", "unknown token", "no service read", "no node read", "right token"],
)
def test_errors_name_the_right_that_consul_misses_if_dns_hides_it(
    running: RawExecHarness,
    secured: Secured,
    foreign_dns: str,
    rules: str | None,
    said: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if rules is None:
        monkeypatch.delenv("CONSUL_HTTP_TOKEN")
    elif not rules:
        monkeypatch.setenv("CONSUL_HTTP_TOKEN", _NO_TOKEN)
    else:
        monkeypatch.setenv("CONSUL_HTTP_TOKEN", add_consul_token(secured.cluster.consul, _new_name(), rules))
    manager = connected(running, ConsulDNS(foreign_dns, container_server=secured.dns))
    # The rights without a token are taken away; Consul's DNS depends on them too.
    with anonymous_rights(secured.cluster.consul, _new_name(), ""):
        if said is None:
            assert manager.get_management_address()
            return
        with pytest.raises(ContainerManagerError, match=said):
            manager.get_management_address()


def test_a_start_that_consul_does_not_confirm_is_given_up_and_leaves_nothing(
    secured: Secured, foreign_dns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONSUL_HTTP_TOKEN")
    with (
        anonymous_rights(secured.cluster.consul, _new_name(), ""),
        RawExecHarness(secured.cluster, tmp_path) as harness,
    ):
        manager = harness.make_manager(dns=ConsulDNS(foreign_dns, container_server=secured.dns))
        with pytest.raises(ContainerManagerError, match=r"no token is set.*Set CONSUL_HTTP_TOKEN"):
            ClipperConnection(manager).start_clipper()
        assert harness.is_gone()


class VolumeManager:
    """A manager whose Redis has a volume; its jobs need a driver that this Nomad does not have."""

    def __init__(self, cluster: NomadCluster) -> None:
        self._nomad = cluster.nomad
        self._name = _new_name()

    def start(self) -> None:
        """Try to start a cluster, which fails when its jobs are placed, or before."""
        spec = ClusterSpec(query_frontend_image=_PINNED, management_frontend_image=_PINNED)
        self.make().start_clipper(spec)

    def make(self) -> NomadContainerManager:
        """Return a manager made from the current environment."""
        settings = NomadSettings(
            driver=DockerDriver(), redis_volume=DynamicVolume(), redis_image=_PINNED, placement_timeout_s=0
        )
        return NomadContainerManager(cluster_name=self._name, settings=settings)

    def left(self) -> list[str]:
        """Return the leftovers of the cluster."""
        jobs = [job["ID"] for job in self._nomad.request("GET", "/v1/jobs")]
        volumes = [volume["Name"] for volume in self._nomad.request("GET", "/v1/volumes?type=host")]
        return [name for name in (*jobs, *volumes) if self._name in name]


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ((NOMAD_POLICY,), r"Cannot make the volume .* does not suffice.*host-volume-create"),
        ((NOMAD_POLICY, VOLUME_POLICY.partition("host_volume")[0]), r'refuses.*host_volume "VOLUME"'),
        # With a driver that Nomad has, it would run.
        ((NOMAD_POLICY, VOLUME_POLICY), r"missing or unhealthy driver docker"),
    ],
    ids=["no volume", "no mount", "suffices"],
)
def test_a_volume_takes_a_policy_of_its_own(
    secured: Secured, policies: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOMAD_TOKEN", secured.nomad_token(*policies))
    manager = VolumeManager(secured.cluster)
    with pytest.raises(ContainerManagerError, match=said):
        manager.start()
    assert not manager.left()


def test_a_volume_that_may_not_be_deleted_stays_and_is_reported(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    insufficient = VOLUME_POLICY.replace(', "host-volume-delete"', "")
    monkeypatch.setenv("NOMAD_TOKEN", secured.nomad_token(NOMAD_POLICY, insufficient))
    manager = VolumeManager(secured.cluster)
    with pytest.raises(ContainerManagerError, match="driver docker"):
        manager.start()
    said = r"Cannot delete the volume .* does not suffice.*host-volume-delete"
    assert re.search(said, caplog.text)
    with pytest.raises(ContainerManagerError, match=said):
        manager.make().remove_leftovers()
    monkeypatch.setenv("NOMAD_TOKEN", secured.nomad_token(NOMAD_POLICY, VOLUME_POLICY))
    assert manager.make().remove_leftovers()
    assert not manager.left()
