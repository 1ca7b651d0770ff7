"""Services found through a real Consul: by its DNS over TCP, by its HTTP API, with ACLs and TLS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clipper_container.addresses import HostPort, parse_address, resolve
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.clients.access import TLS, ConsulAccess
from clipper_nomad.managers.nomad.clients.consul import ConsulCatalog, FailingInstance
from clipper_nomad.managers.nomad.dns import ConsulDNS
from clipper_nomad.managers.nomad.load_balancer import FabioLoadBalancer
from clipper_nomad.managers.ports import choose_free
from tests.support.docker.engine import MissingServiceError, give_up
from tests.support.nomad.consul_agent import ConsulAgent, ForeignDNS
from tests.support.nomad.tools import require_tools
from tests.support.processes import eventually

# More than a datagram holds.
PORTS = range(20000, 20050)
PLACES = [HostPort("10.1.2.3", port) for port in PORTS]
#: A resolver's timeout without another limit.
_PATIENCE_S = 5.0


@pytest.fixture(scope="module")
def program() -> Path:
    try:
        return require_tools().consul
    except MissingServiceError as error:
        give_up(str(error))
        raise


@pytest.fixture(scope="module")
def consul(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulAgent]:
    """A Consul with a service of 50 passing instances and one that fails."""
    with ConsulAgent(program, tmp_path_factory.mktemp("consul")) as made:
        tags = ("urlprefix-:7000 proto=tcp",)
        made.add_service("clipper-iris-rpc", {**dict.fromkeys(PORTS, True), 1: False}, tags=tags)
        made.add_service("clipper-iris-redis", {6379: False})
        yield made


@pytest.fixture(scope="module")
def guarded(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulAgent]:
    """A Consul with ACLs and TLS, and one service."""
    with ConsulAgent(program, tmp_path_factory.mktemp("guarded"), secure=True) as made:
        made.add_service("clipper-iris-rpc", {7000: True})
        yield made


@pytest.fixture
def nobody() -> ConsulAccess:
    """An address without a Consul."""
    return ConsulAccess(port=choose_free("127.0.0.1", 1)[0])


def test_dns_gives_all_passing_instances_and_no_other(consul: ConsulAgent, nobody: ConsulAccess) -> None:
    dns = ConsulDNS(consul.dns, access=nobody)
    assert dns.lookup("clipper-iris-rpc") == PLACES
    assert ConsulDNS(consul.dns, datacenter="dc1", access=nobody).lookup("clipper-iris-rpc") == PLACES


def test_containers_find_the_same_by_what_they_are_given(consul: ConsulAgent) -> None:
    address = parse_address(ConsulDNS(consul.dns).srv_address("clipper-iris-rpc"))
    assert sorted(resolve(address, consul.dns)) == [(place.host, place.port) for place in PLACES]


def test_the_catalog_gives_all_passing_instances_and_no_other(
    consul: ConsulAgent, nobody: ConsulAccess
) -> None:
    dns = ConsulDNS(f"127.0.0.1:{nobody.port}", access=consul.access)
    assert dns.lookup("clipper-iris-rpc") == PLACES
    assert dns.lookup("clipper-iris-redis") == []
    assert dns.lookup("clipper-iris-query") == []


def test_an_instance_without_an_address_is_at_its_node(consul: ConsulAgent, nobody: ConsulAccess) -> None:
    consul.add_service("at-its-node", {8080: True}, address="")
    for dns in (
        ConsulDNS(consul.dns, access=nobody),
        ConsulDNS(f"127.0.0.1:{nobody.port}", access=consul.access),
    ):
        assert dns.lookup("at-its-node") == [HostPort("127.0.0.1", 8080)]


def test_consuls_own_empty_answer_is_believed(consul: ConsulAgent, nobody: ConsulAccess) -> None:
    dns = ConsulDNS(consul.dns, access=nobody)
    assert dns.lookup("clipper-iris-redis") == []
    assert dns.lookup("clipper-iris-query") == []


def test_an_instance_is_found_as_soon_as_it_passes(consul: ConsulAgent) -> None:
    dns = ConsulDNS(consul.dns, access=consul.access)
    assert dns.lookup("comes-later") == []
    consul.add_service("comes-later", {1234: True})
    assert dns.lookup("comes-later") == [HostPort("10.1.2.3", 1234)]
    consul.fail("comes-later", 1234)
    assert dns.lookup("comes-later") == []


def test_a_resolver_that_does_not_know_consul_is_asked_once(consul: ConsulAgent) -> None:
    with ForeignDNS() as foreign:
        dns = ConsulDNS(foreign.address, access=consul.access)
        assert dns.lookup("clipper-iris-query") == []
        assert dns.lookup("clipper-iris-rpc") == PLACES
        assert foreign.num_questions == 1


def test_a_silent_resolver_costs_its_timeout_once(consul: ConsulAgent) -> None:
    with ForeignDNS(silent=True) as foreign:
        dns = ConsulDNS(foreign.address, access=consul.access, timeout_s=0.3)
        started_s = time.monotonic()
        assert dns.lookup("clipper-iris-rpc") == PLACES
        assert 0.3 <= time.monotonic() - started_s < _PATIENCE_S
        eventually(lambda: foreign.num_questions == 1, "it has taken the question")
        assert dns.lookup("clipper-iris-rpc") == PLACES
        assert foreign.num_questions == 1


def test_a_foreign_resolvers_answer_alone_is_not_believed(nobody: ConsulAccess) -> None:
    with ForeignDNS() as foreign:
        dns = ConsulDNS(foreign.address, access=nobody)
        for _ in range(2):
            with pytest.raises(ContainerManagerError, match=r"By DNS: .*NXDOMAIN.* Set CONSUL_HTTP_ADDR"):
                dns.lookup("clipper-iris-rpc")


def test_when_the_catalog_is_lost_dns_gets_its_chance_again(program: Path, tmp_path: Path) -> None:
    with ForeignDNS() as foreign:
        with ConsulAgent(program, tmp_path) as other:
            dns = ConsulDNS(foreign.address, access=other.access)
            assert dns.lookup("clipper-iris-rpc") == []
        with pytest.raises(ContainerManagerError, match="Connection refused"):
            dns.lookup("clipper-iris-rpc")
        assert foreign.num_questions == 2


def test_the_catalog_is_near_what_the_manager_asks(
    consul: ConsulAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONSUL_HTTP_ADDR", raising=False)
    with pytest.raises(ContainerManagerError, match=r"Cannot ask Consul at http://127\.0\.0\.9:8500"):
        ConsulDNS().near("127.0.0.9").catalog.passing("clipper-iris-rpc")
    elsewhere = ConsulDNS().near("127.0.0.9")
    assert elsewhere.near("127.0.0.8").catalog is not elsewhere.catalog
    with pytest.raises(ContainerManagerError, match=r"http://127\.0\.0\.8:8500"):
        elsewhere.near("127.0.0.8").catalog.passing("clipper-iris-rpc")
    monkeypatch.setenv("CONSUL_HTTP_ADDR", consul.access.address)
    assert ConsulDNS().near("127.0.0.9").catalog.passing("clipper-iris-rpc") == PLACES


def test_tags_in_the_catalog_show_the_holder_of_a_port(consul: ConsulAgent) -> None:
    tags = ConsulCatalog(consul.access).service_tags()
    assert tags["clipper-iris-rpc"] == ("urlprefix-:7000 proto=tcp",)
    fabio = FabioLoadBalancer(tcp_proxy_port=7000)
    found = fabio.find_conflicts("rose", tags, ["clipper-rose-rpc"])
    assert [each.service for each in found] == ["clipper-iris-rpc"]
    assert fabio.find_conflicts("iris", tags, ["clipper-iris-rpc"]) == ()


def test_the_failing_checks_of_one_models_instances_are_reported(consul: ConsulAgent) -> None:
    name, wanted = "clipper-iris-model", {"model": "sums", "model_version": "2"}
    consul.add_service(name, {1: False}, meta={**wanted, "model_version": "1"})
    consul.add_service(name, {2: True, 3: False, 4: True}, meta=wanted)
    consul.fail(name, 4, output="refused,\nall the time")
    catalog = ConsulCatalog(consul.access)
    check = f"Service '{name}' check"

    def found() -> list[FailingInstance]:
        return catalog.failing(name, wanted)

    expected = [
        FailingInstance(HostPort("10.1.2.3", 3), (check,), ""),
        FailingInstance(HostPort("10.1.2.3", 4), (check,), "refused, all the time"),
    ]
    eventually(lambda: found() == expected, f"what fails is known: {found()}")


def test_an_answer_that_acls_hide_is_an_error_not_an_empty_list(guarded: ConsulAgent) -> None:
    none = replace(guarded.access, token=None)
    narrow = replace(none, token=guarded.add_token('service_prefix "other" { policy = "read" }'))
    wrong = replace(none, token="3b1c7a52-0d0c-4d1e-9d4e-0f3f4a1f2c12")
    for access, problem in (
        (none, "its ACLs are on, and no token is set"),
        (narrow, "its ACLs refuse the token"),
        (wrong, "its ACLs refuse the token"),
    ):
        with pytest.raises(ContainerManagerError, match=rf"{problem}.*CONSUL_HTTP_TOKEN.*service_prefix"):
            ConsulDNS(guarded.dns, access=access).lookup("clipper-iris-rpc")
        with pytest.raises(ContainerManagerError, match=problem):
            ConsulCatalog(access).service_tags()


def test_a_token_finds_over_http_what_dns_hides(guarded: ConsulAgent, tmp_path: Path) -> None:
    rules = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'
    path = tmp_path / "token"
    path.write_text(guarded.add_token(rules) + "\n")
    dns = ConsulDNS(guarded.dns, access=replace(guarded.access, token=None, token_file=str(path)))
    assert dns.lookup("clipper-iris-rpc") == [HostPort("10.1.2.3", 7000)]
    assert dns.lookup("clipper-iris-query") == []


def test_the_environments_token_never_replaces_the_one_given(
    guarded: ConsulAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "3b1c7a52-0d0c-4d1e-9d4e-0f3f4a1f2c12")
    assert ConsulCatalog(guarded.access).passing("clipper-iris-rpc") == [HostPort("10.1.2.3", 7000)]


def test_a_server_is_expected_by_its_certificates_name(guarded: ConsulAgent) -> None:
    for name, problem in (("server.dc1.consul", None), ("server.dc2.consul", "CONSUL_TLS_SERVER_NAME")):
        catalog = ConsulCatalog(replace(guarded.access, tls=replace(guarded.access.tls, server_name=name)))
        if problem is None:
            assert catalog.passing("clipper-iris-rpc")
        else:
            with pytest.raises(ContainerManagerError, match=problem):
                catalog.passing("clipper-iris-rpc")


def test_an_error_names_what_is_missing_for_tls(
    guarded: ConsulAgent, consul: ConsulAgent, tmp_path: Path
) -> None:
    tls = guarded.access.tls
    for access, problem in (
        (replace(guarded.access, tls=replace(tls, ca_cert=None)), "Set CONSUL_CACERT"),
        (replace(guarded.access, tls=TLS(ca_cert=tls.ca_cert)), "CONSUL_CLIENT_CERT"),
        (replace(guarded.access, tls=TLS(ca_cert=str(tmp_path / "no"))), r"CONSUL_CACERT=.*/no\)"),
        (replace(guarded.access, scheme="http"), "Set CONSUL_HTTP_SSL=true"),
        (replace(consul.access, scheme="https"), "or use http://"),
    ):
        with pytest.raises(ContainerManagerError, match=problem):
            ConsulCatalog(access).passing("clipper-iris-rpc")


def test_unchecked_certificates_are_taken_when_asked(guarded: ConsulAgent) -> None:
    tls = replace(guarded.access.tls, ca_cert=None, verify=False)
    with pytest.warns(match="Unverified HTTPS request"):
        assert ConsulCatalog(replace(guarded.access, tls=tls)).passing("clipper-iris-rpc")
