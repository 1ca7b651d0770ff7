"""The Docker manager's constructor: Clipper's names, positions and defaults, and ignored arguments."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from clipper_nomad import DockerContainerManager
from clipper_nomad.errors import ClipperWarning, ContainerManagerError

CLIPPERS = (
    "cluster_name='default-cluster', docker_ip_address='localhost', use_centralized_log=False, "
    "fluentd_port=24224, clipper_query_port=1337, clipper_management_port=1338, clipper_rpc_port=7000, "
    "redis_ip=None, redis_port=6379, prometheus_port=9090, docker_network='clipper_network', "
    "extra_container_kwargs=None"
)


def test_clippers_arguments_keep_their_positions_and_defaults() -> None:
    parameters = inspect.signature(DockerContainerManager).parameters.values()
    positional = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert ", ".join(f"{each.name}={each.default!r}" for each in positional) == CLIPPERS
    assert all(each.kind is each.KEYWORD_ONLY for each in parameters if each not in positional)


@pytest.mark.parametrize(
    "argument", [{"use_centralized_log": True}, {"fluentd_port": 1}, {"prometheus_port": 1}]
)
def test_arguments_without_meaning_here_are_ignored_with_a_warning(argument: dict[str, Any]) -> None:
    with pytest.warns(ClipperWarning, match=f"{next(iter(argument))} is ignored"):
        DockerContainerManager(**argument)


@pytest.mark.parametrize("redis_ip", ["localhost", "127.0.0.1", "::1"])
def test_a_loopback_redis_is_refused(redis_ip: str) -> None:
    with pytest.raises(ContainerManagerError, match="each container itself"):
        DockerContainerManager(redis_ip=redis_ip)


def test_extra_arguments_that_the_manager_sets_are_refused() -> None:
    with pytest.raises(ContainerManagerError, match="extra_container_kwargs has name, ports"):
        DockerContainerManager(extra_container_kwargs={"ports": {}, "name": "x", "cpu_shares": 5})
