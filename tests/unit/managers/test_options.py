"""The command line's options of a cluster, and what each manager makes of them."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad import DockerContainerManager, LocalContainerManager, NomadContainerManager
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.options import ClusterOptions

_PORTS = ("query_port", "management_port", "rpc_port", "redis_port")


def test_ports_are_kept_unless_taken_ones_may_be_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ClusterOptions(query_port=port)
        assert options.settle_ports() == options
        settled = replace(options, replaces_taken_ports=True).settle_ports()
    assert settled.query_port != port
    ports = [getattr(settled, name) for name in _PORTS]
    assert len(set(ports)) == len(ports)


def test_the_port_of_a_redis_elsewhere_is_never_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as redis:
        port = redis.getsockname()[1]
        options = ClusterOptions(redis_ip="10.0.0.1", redis_port=port, replaces_taken_ports=True)
        assert options.settle_ports().redis_port == port


@pytest.mark.parametrize("manager", [LocalContainerManager, DockerContainerManager, NomadContainerManager])
def test_every_manager_takes_the_name_and_a_redis_elsewhere(manager: Any, tmp_path: Path) -> None:
    options = ClusterOptions("iris", tmp_path, redis_ip="10.0.0.1", redis_port=6380)
    made = manager.from_cli(options)
    assert type(made) is manager
    assert made.cluster_name == "iris"
    assert (made._wanted.redis_ip, made._wanted.redis_port) == ("10.0.0.1", 6380)


@pytest.mark.parametrize(
    "address", [{"host": "10.0.0.1"}, {"query_port": 1}, {"management_port": 1}, {"rpc_port": 1}]
)
def test_nomad_gives_out_addresses_itself(address: dict[str, Any]) -> None:
    with pytest.raises(ContainerManagerError, match="Nomad gives out addresses and ports by itself"):
        NomadContainerManager.from_cli(ClusterOptions(**address))


def test_docker_calls_this_machine_by_name() -> None:
    assert DockerContainerManager.from_cli(ClusterOptions())._wanted.docker_ip == "localhost"
    assert DockerContainerManager.from_cli(ClusterOptions(host="10.0.0.1"))._wanted.docker_ip == "10.0.0.1"


def test_a_manager_for_scripts_alone_is_refused() -> None:
    with pytest.raises(ContainerManagerError, match="cannot be used from the command line"):
        ContainerManager.from_cli(ClusterOptions())
