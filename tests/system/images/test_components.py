"""This project's own images on a real engine: what is in them, and that they start, live and stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import docker
import docker.errors
import pytest

from clipper_nomad import __version__
from clipper_nomad.errors import BuildError, ClipperException, ContainerManagerError
from clipper_nomad.images import (
    COMPONENTS,
    ImageSettings,
    build_component_images,
    component_image,
    resolve_image,
)
from tests.support.docker.engine import Registry
from tests.support.processes import eventually

pytestmark = pytest.mark.timeout(600)

MEBI = 1 << 20
FRONTENDS_AND_RUNTIME = ("query-frontend", "management-frontend", "python-runtime")


@pytest.fixture
def start(docker_client: docker.DockerClient) -> Iterator[Callable[..., Any]]:
    """Return what starts containers on a network of their own, each reached by its component's name."""
    network = docker_client.networks.create(f"clipper-test-{uuid.uuid4().hex[:8]}")
    started = []

    def start_one(image: str, name: str, **options: Any) -> Any:
        # The image's own check, at shorter intervals.
        often = {"interval": 1_000_000_000, "timeout": 5_000_000_000, "retries": 30}
        container = docker_client.containers.create(image, hostname=name, healthcheck=often, **options)
        started.append(container)
        network.connect(container, aliases=[name])
        container.start()
        return container

    yield start_one
    for container in started:
        container.remove(force=True, v=True)
    network.remove()


def run(client: docker.DockerClient, image: str, *command: str) -> str:
    return bytes(client.containers.run(image, list(command), entrypoint="", remove=True)).decode()


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_image_says_what_it_is_and_runs_without_root(
    docker_client: docker.DockerClient, image_settings: ImageSettings, component: str
) -> None:
    image = docker_client.images.get(component_image(component, image_settings))
    config = image.attrs["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] and config["Entrypoint"][0] not in ("/bin/sh", "sh")
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert image.labels["org.opencontainers.image.title"] == f"clipper-nomad-{component}"
    assert image.labels["org.opencontainers.image.version"] == __version__
    assert image.labels["org.opencontainers.image.source"]
    assert image.tags[0].partition(":")[2].startswith(__version__)


@pytest.mark.parametrize("component", COMPONENTS)
def test_nothing_that_built_an_image_is_left_in_it(
    docker_client: docker.DockerClient, image_settings: ImageSettings, component: str
) -> None:
    script = (
        "for tool in gcc cc make; do command -v $tool; done; "
        "for path in /installer /opt/pip /opt/clipper/bin/pip /root/.cache /var/lib/apt/lists/*_Packages "
        "/usr/sbin/policy-rc.d; do test -e $path && echo $path; done; true"
    )
    image = component_image(component, image_settings)
    found = docker_client.containers.run(image, ["-c", script], entrypoint="sh", user="0", remove=True)
    assert bytes(found).decode() == ""


def test_the_runtime_is_small_and_holds_only_itself(
    docker_client: docker.DockerClient, image_settings: ImageSettings
) -> None:
    reference = component_image("python-runtime", image_settings)
    base = docker_client.images.get(image_settings.component_base).attrs["Size"]
    assert docker_client.images.get(reference).attrs["Size"] - base <= 120 * 1_000_000
    script = (
        "import importlib.metadata as m, json; print(json.dumps([d.name.lower() for d in m.distributions()]))"
    )
    listed = set(json.loads(run(docker_client, reference, "python", "-c", script)))
    assert listed == {"clipper-container", "cloudpickle", "dnspython", "numpy", "prometheus_client", "pyzmq"}


def test_frontends_and_redis_start_live_and_stop_on_sigterm(
    image_settings: ImageSettings, start: Callable[..., Any]
) -> None:
    environment = {"CLIPPER_REDIS": "redis:6379", "CLIPPER_DRAIN_DELAY_S": "0"}
    containers = {
        component: start(component_image(component, image_settings), component, environment=environment)
        for component in ("redis", "query-frontend", "management-frontend")
    }
    for component, container in containers.items():
        eventually(partial(is_healthy, container), f"{component} is healthy", timeout_s=60)
        assert container.top()["Processes"][0][0] != "root"
    for component in ("query-frontend", "management-frontend", "redis"):
        containers[component].stop(timeout=20)
        exit_code = containers[component].wait()["StatusCode"]
        assert exit_code == 0, (component, containers[component].logs().decode())


def is_healthy(container: Any) -> bool:
    container.reload()
    return bool(container.attrs["State"].get("Health", {}).get("Status") == "healthy")


def test_a_frontend_that_does_not_answer_is_unhealthy(
    docker_client: docker.DockerClient, image_settings: ImageSettings
) -> None:
    image = component_image("query-frontend", image_settings)
    test = docker_client.images.get(image).attrs["Config"]["Healthcheck"]["Test"]
    with pytest.raises(docker.errors.ContainerError):
        run(docker_client, image, *test[1:])


def test_another_python_than_asked_for_is_told_before_anything_is_built(
    docker_client: docker.DockerClient, image_settings: ImageSettings
) -> None:
    lines: list[str] = []
    other = replace(image_settings, python_version="3.12")
    with pytest.raises(BuildError, match=r"Python 3\.12: .*has Python 3\.11.*--base-image"):
        build_component_images(docker_client, other, progress=lines.append)
    assert lines == []


def test_a_base_that_cannot_be_had_is_told_before_anything_is_built(
    docker_client: docker.DockerClient,
) -> None:
    absent = ImageSettings(base_image="127.0.0.1:9/absent:1")
    with pytest.raises(BuildError, match=r"absent:1 is not on this Docker engine, and could not be pulled"):
        build_component_images(docker_client, absent)


def test_what_cannot_be_done_is_refused(
    docker_client: docker.DockerClient, image_settings: ImageSettings
) -> None:
    with pytest.raises(ClipperException, match="no registry is set"):
        build_component_images(docker_client, image_settings, push=True)
    with pytest.raises(
        ClipperException, match="'frontend' is not one of this project's images: use query-frontend"
    ):
        build_component_images(docker_client, image_settings, components=["frontend"])


def test_a_missing_image_says_where_it_was_looked_for_and_what_makes_it(
    docker_client: docker.DockerClient,
) -> None:
    settings = ImageSettings(registry="127.0.0.1:9")
    with pytest.raises(ContainerManagerError) as caught:
        resolve_image(docker_client, component_image("redis", settings), settings)
    assert "not on this Docker engine" in caught.value.msg
    assert "registry 127.0.0.1:9" in caught.value.msg
    assert "`clipper-nomad images build --registry 127.0.0.1:9 --push` builds it" in caught.value.msg


def test_the_command_builds_and_pushes(
    docker_client: docker.DockerClient, image_settings: ImageSettings, registry: Registry
) -> None:
    reference = component_image("redis", replace(image_settings, registry=registry.address))
    options = ["--base-image", str(image_settings.base_image), "--registry", registry.address, "--push"]
    done = clipper_nomad("images", "build", *options, "--network", "host", "--component", "redis")
    assert f"Pushed {reference}" in done.stderr
    docker_client.images.remove(reference)
    assert resolve_image(docker_client, reference, image_settings)
    listed = json.loads(clipper_nomad("images", "list", "--registry", registry.address, "--json").stdout)
    assert {row["image"]: row["id"] is not None for row in listed}[reference]
    with suppress(docker.errors.ImageNotFound):
        docker_client.images.remove(reference)


def clipper_nomad(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clipper_nomad.cli", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "COLUMNS": "200"}
    )
    assert done.returncode == 0, done.stderr
    return done
