"""The settings of a cluster on Nomad from CLIPPER_*, and the refusal of impossible values."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings
from clipper_nomad.jobspecs import HostVolume
from clipper_nomad.managers.nomad import NomadContainerManager
from clipper_nomad.managers.nomad.dns import ConsulDNS
from clipper_nomad.managers.nomad.drivers import DockerDriver, ExecDriver, RawExecDriver
from clipper_nomad.managers.nomad.environment import read_environment
from clipper_nomad.managers.nomad.load_balancer import FabioLoadBalancer, NoLoadBalancer
from clipper_nomad.managers.nomad.settings import DynamicVolume, NomadSettings


def settings_of(**variables: str) -> NomadSettings:
    found = read_environment({f"CLIPPER_{name}": value for name, value in variables.items()})["settings"]
    assert isinstance(found, NomadSettings)
    return found


@pytest.mark.parametrize("environment", [{}, {"CLIPPER_FABIO_ADDRESS": "", "CLIPPER_REDIS_IP": ""}])
def test_without_any_variable_all_is_the_manager_s_own(environment: dict[str, str]) -> None:
    found = read_environment(environment)
    assert found.keys() == {"dns", "load_balancer", "settings"}
    assert isinstance(found["load_balancer"], NoLoadBalancer)
    assert found["dns"].container_server is None
    assert found["settings"] == NomadSettings(images=ImageSettings.from_environment({}))


def test_variables_of_other_programs_say_nothing() -> None:
    names = ("DRIVER", "DNS", "DATACENTERS", "REDIS_IP", "FABIO_ADDRESS", "NODE_POOL", "REGISTRY")
    assert read_environment(dict.fromkeys(names, "x"))["settings"] == read_environment({})["settings"]
    assert read_environment(dict.fromkeys(names, "x")).keys() == {"dns", "load_balancer", "settings"}


def test_fabio_is_where_it_is_said_to_be() -> None:
    environment = {
        "CLIPPER_FABIO_ADDRESS": "fabio.example",
        "CLIPPER_FABIO_HTTP_PORT": "80",
        "CLIPPER_FABIO_TCP_PORT": "7001",
        "CLIPPER_FABIO_ROUTE_MANAGEMENT": "True",
    }
    found = read_environment(environment)["load_balancer"]
    assert isinstance(found, FabioLoadBalancer)
    assert found.query_address("iris") == "fabio.example:80/clipper-iris"
    assert found.rpc_address() == "fabio.example:7001"
    assert found.management_address("iris") == "fabio.example:80/clipper-iris.management"
    plain = read_environment({"CLIPPER_FABIO_ADDRESS": "fabio.example"})["load_balancer"]
    assert plain.query_address("iris") == "fabio.example:9999/clipper-iris"
    assert plain.rpc_address() == "fabio.example:7000"
    assert plain.management_address("iris") is None


def test_the_dns_server_is_that_of_containers_too() -> None:
    found = read_environment({"CLIPPER_DNS": "10.0.0.1:8600"})["dns"]
    assert isinstance(found, ConsulDNS)
    assert found.container_server == "10.0.0.1:8600"


def test_places_and_a_redis_elsewhere_are_arguments() -> None:
    environment = {
        "CLIPPER_DATACENTERS": "dc1, dc2 ,",
        "CLIPPER_REDIS_IP": "10.0.0.9",
        "CLIPPER_REDIS_PORT": "6380",
    }
    found = read_environment(environment)
    assert found["datacenters"] == ("dc1", "dc2")
    assert (found["redis_ip"], found["redis_port"]) == ("10.0.0.9", 6380)
    # Without an address the port is that of another manager's own Redis.
    assert "redis_port" not in read_environment({"CLIPPER_REDIS_PORT": "6380"})


def test_the_volume_is_made_or_one_that_is_there() -> None:
    assert settings_of(REDIS_VOLUME="dynamic").redis_volume == DynamicVolume()
    assert settings_of(REDIS_VOLUME="redis-data").redis_volume == HostVolume("redis-data")


def test_what_runs_tasks_and_where_archives_are() -> None:
    assert settings_of(DRIVER="docker").driver == DockerDriver()
    assert settings_of(DRIVER="exec").driver == ExecDriver()
    assert settings_of(DRIVER="raw_exec", BIN_DIR="/opt/bin").driver == RawExecDriver("/opt/bin")
    found = settings_of(ARTIFACT_DIR="/srv/models", ARTIFACT_URL="http://files", NODE_POOL="gpu")
    assert (found.artifact_dir, found.artifact_url) == (Path("/srv/models"), "http://files")
    assert found.scheduling.node_pool == "gpu"
    assert settings_of(REGISTRY="registry.example:5000").images.registry == "registry.example:5000"


def test_a_password_is_no_part_of_what_is_shown() -> None:
    found = settings_of(REDIS_PASSWORD="secret")
    assert found.redis_password == "secret"
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CLIPPER_DRIVER", "podman", "CLIPPER_DRIVER is 'podman': use docker, exec or raw_exec"),
        ("CLIPPER_FABIO_HTTP_PORT", "http", "CLIPPER_FABIO_HTTP_PORT is 'http': use a port"),
        ("CLIPPER_FABIO_TCP_PORT", "65536", "CLIPPER_FABIO_TCP_PORT is '65536': use a port"),
        ("CLIPPER_FABIO_TCP_PORT", "0", "CLIPPER_FABIO_TCP_PORT is '0': use a port"),
        ("CLIPPER_FABIO_TCP_PORT", "٣", "use a port from 1 to 65535"),
        ("CLIPPER_REDIS_PORT", "-1", "CLIPPER_REDIS_PORT is '-1'"),
        ("CLIPPER_FABIO_ADDRESS", "http://fabio", "FabioLoadBalancer was given address='http://fabio'"),
        ("CLIPPER_DNS", "srv:dns.example", "a DNS server is a host"),
    ],
)
def test_a_value_that_cannot_be_is_named(variable: str, value: str, said: str) -> None:
    environment = {"CLIPPER_FABIO_ADDRESS": "fabio", "CLIPPER_REDIS_IP": "10.0.0.9", variable: value}
    with pytest.raises(ContainerManagerError, match=said):
        read_environment(environment)


def test_arguments_win_over_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOMAD_ADDR", "http://127.0.0.1:9")
    monkeypatch.setenv("CLIPPER_FABIO_ADDRESS", "fabio.example")
    monkeypatch.setenv("CLIPPER_DRIVER", "podman")
    with pytest.raises(ContainerManagerError, match="CLIPPER_DRIVER"):
        NomadContainerManager.from_env()
    monkeypatch.setenv("CLIPPER_DRIVER", "raw_exec")
    made = NomadContainerManager.from_env("iris", load_balancer=NoLoadBalancer(), namespace="team")
    assert made.cluster_name == "iris"
