"""The features of the Docker manager alone: labels, limits, devices, ports, Redis elsewhere, refusals."""

from __future__ import annotations

import io
import re
from typing import Any

import docker
import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings, component_image, project_version
from clipper_nomad.types import ClusterSpec, DeploySpec, Device, ModelVersion, Resources
from tests.contract.harness import DockerHarness
from tests.support.frontends.cluster import request

SUMS = ModelVersion("sums", "1")
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def runtime(image_settings: ImageSettings) -> str:
    """An image to deploy in tests that need no model in it."""
    return component_image("python-runtime", image_settings)


def make_image(client: docker.DockerClient, base_image: str, command: str, tag: str) -> str:
    recipe = f"FROM {base_image}\nCMD {command}\n".encode()
    client.images.build(fileobj=io.BytesIO(recipe), tag=tag, rm=True)
    return tag


def test_every_container_is_labelled(harness: DockerHarness, runtime: str) -> None:
    manager = harness.make_manager(extra_container_kwargs={"labels": {"team": "serving"}, "cpu_shares": 512})
    manager.start_clipper(ClusterSpec(2))
    manager.deploy(DeploySpec(SUMS, "doubles", runtime))
    found = harness.containers()
    components = {name: each.labels["clipper-nomad.component"] for name, each in found.items()}
    assert components == {
        "redis": "redis",
        "management-frontend": "management-frontend",
        "query-frontend.0": "query-frontend",
        "query-frontend.1": "query-frontend",
        "model.sums.1.0": "model",
    }
    for container in found.values():
        labels, host = container.labels, container.attrs["HostConfig"]
        assert labels["clipper-nomad.cluster"] == harness.cluster_name
        assert labels["clipper-nomad.version"] == project_version()
        assert re.fullmatch("[0-9a-f]{64}", labels["clipper-nomad.definition-hash"])
        assert (labels["team"], host["CpuShares"]) == ("serving", 512)
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
        assert container.attrs["Config"]["StopTimeout"] >= 30
    replica = found["model.sums.1.0"].labels
    assert (replica["clipper-nomad.model-name"], replica["clipper-nomad.model-version"]) == ("sums", "1")
    assert replica["clipper-nomad.index"] == "0"


def test_each_query_frontend_has_a_port_of_its_own(harness: DockerHarness) -> None:
    manager = harness.make_manager()
    connection = ClipperConnection(manager)
    connection.start_clipper(num_frontend_replicas=2)
    addresses = manager.query_addresses()
    assert addresses[0] == connection.get_query_addr() == f"localhost:{harness.wanted_port[0]}"
    assert len(set(addresses)) == 2
    assert [request(each, "GET", "/health/ready")[0] for each in addresses] == [200, 200]
    assert len(connection.inspect_instance()) == 2
    bindings = harness.containers()["query-frontend.1"].attrs["HostConfig"]["PortBindings"]
    assert {host["HostIp"] for hosts in bindings.values() for host in hosts} == {"127.0.0.1"}
    connection.start_clipper(cache_size=1, num_frontend_replicas=2)
    assert manager.query_addresses() == addresses


def test_limits_are_the_engines(harness: DockerHarness, runtime: str) -> None:
    manager = harness.make_manager()
    manager.start_clipper(ClusterSpec())
    manager.deploy(DeploySpec(SUMS, "doubles", runtime, resources=Resources(cpu=0.5, memory=256)))
    manager.set_num_replicas(SUMS, 2)
    for index in range(2):
        host = harness.containers()[f"model.sums.1.{index}"].attrs["HostConfig"]
        assert host["NanoCpus"] == 500_000_000
        assert host["Memory"] == host["MemorySwap"] == 256 * 1024 * 1024


def test_a_missing_gpu_is_reported_in_the_engines_words_and_nothing_is_left(
    harness: DockerHarness, runtime: str
) -> None:
    manager = harness.make_manager()
    manager.start_clipper(ClusterSpec())
    # More GPUs than any machine has, so that an engine with GPUs refuses too.
    spec = DeploySpec(SUMS, "doubles", runtime, devices=(Device("nvidia/gpu", 1000),))
    with pytest.raises(ContainerManagerError, match=r"model\.sums\.1\.0: the Docker engine answered: .*"):
        manager.deploy(spec)
    assert manager.get_replicas() == {}
    # The devices are recorded even if no replica is started.
    manager.deploy(DeploySpec(SUMS, "doubles", runtime, num_replicas=0, devices=(Device("nvidia/gpu", 2),)))
    (asked,) = harness.containers()["model-placeholder.sums.1"].attrs["HostConfig"]["DeviceRequests"]
    assert (asked["Driver"], asked["Count"], asked["Capabilities"]) == ("nvidia", 2, [["gpu"]])


def test_a_redis_elsewhere_is_used_and_keeps_its_content(
    docker_client: docker.DockerClient, harness: DockerHarness, image_settings: ImageSettings
) -> None:
    network = docker_client.networks.create(f"elsewhere-{harness.cluster_name}")
    redis = docker_client.containers.run(
        component_image("redis", image_settings), detach=True, name=f"elsewhere-{harness.cluster_name}"
    )
    try:
        network.connect(redis)
        settings = {"redis_ip": redis.name, "docker_network": network.name}
        connection = ClipperConnection(harness.make_manager(**settings))
        connection.start_clipper()
        connection.register_application("app", "doubles", "none", 100_000)
        assert "redis" not in harness.parts()
        connection.stop_all()
        assert harness.is_gone()
        connection.start_clipper()
        assert connection.get_all_apps() == ["app"]
        connection.stop_all()
        assert docker_client.networks.list(names=[network.name]), "a network of the user's stays"
    finally:
        redis.remove(force=True)
        harness.make_manager().remove_leftovers()
        network.remove()


def test_a_missing_engine_is_reported(harness: DockerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
        with pytest.raises(ContainerManagerError, match=r"reach a Docker engine.*start Docker.*DOCKER_HOST"):
            harness.make_manager().start_clipper(ClusterSpec())


def test_a_missing_image_is_reported_with_the_command_that_builds_it(harness: DockerHarness) -> None:
    nowhere = ImageSettings(registry="127.0.0.1:9")
    with pytest.raises(ContainerManagerError, match=r"(?s)127\.0\.0\.1:9.*`clipper-nomad images build"):
        harness.make_manager(images=nowhere).start_clipper(ClusterSpec())
    assert harness.is_gone()


@pytest.mark.parametrize("component", ["query_frontend_image", "management_frontend_image"])
def test_a_frontend_that_keeps_failing_is_reported_and_nothing_is_left(
    docker_client: docker.DockerClient, base_image: str, harness: DockerHarness, component: str
) -> None:
    command = 'echo "no memory for me" >&2; exit 9'
    image = make_image(docker_client, base_image, command, f"{harness.cluster_name}-ending:1")
    spec: dict[str, Any] = {component: image}
    with pytest.raises(
        ContainerManagerError, match=r"(?s)keeps failing: it ended .*exit status 9.*no memory for me"
    ):
        harness.make_manager().start_clipper(ClusterSpec(**spec))
    assert harness.is_gone()


def test_a_network_without_names_is_refused(harness: DockerHarness) -> None:
    with pytest.raises(ContainerManagerError, match="docker_network is 'host'"):
        harness.make_manager(docker_network="host").start_clipper(ClusterSpec())


def test_the_next_start_removes_what_an_interrupted_roll_left(harness: DockerHarness) -> None:
    manager = harness.make_manager()
    manager.start_clipper(ClusterSpec())
    # The state after a roll that was killed when it had renamed the frontend.
    frontend = harness.containers()["query-frontend.0"]
    frontend.rename(f"{frontend.name}.replaced")
    manager.start_clipper(ClusterSpec())
    assert harness.parts().keys() == {"redis", "management-frontend", "query-frontend.0"}
    assert harness.containers().keys() == harness.parts().keys()
    assert request(manager.get_query_address(), "GET", "/health/ready")[0] == 200
