"""Clipper's quickstart, as in users' scripts: one script, run with each manager."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from clipper_nomad.images import ImageSettings
from clipper_nomad.managers.ports import choose_free

# The script of Clipper's README, with other import lines, names and ports.
SCRIPT = """
from clipper_nomad import ClipperConnection, {manager}
clipper_conn = ClipperConnection({manager}({arguments}))
clipper_conn.start_clipper()
clipper_conn.register_application(
    name="hello-world", input_type="doubles", default_output="-1.0", slo_micros=100000)
print("applications:", clipper_conn.get_all_apps())

def feature_sum(xs):
    return [str(sum(x)) for x in xs]

from clipper_nomad.deployers import python as python_deployer
python_deployer.deploy_python_closure(
    clipper_conn, name="sum-model", version=1, input_type="doubles", func=feature_sum)
clipper_conn.link_model_to_app(app_name="hello-world", model_name="sum-model")

import requests, json, numpy as np
headers = {{"Content-type": "application/json"}}
address = "http://{{}}/hello-world/predict".format(clipper_conn.get_query_addr())
print(requests.post(address, headers=headers, data=json.dumps({{
    "input": list(np.arange(10.0))}})).json())
print(requests.post(address, headers=headers, data=json.dumps({{
    "input_batch": [list(np.arange(10.0) + n) for n in range(2)]}})).json())
clipper_conn.stop_all()
"""

CLEAN_UP = """
from clipper_nomad import {manager}
{manager}({arguments}).remove_leftovers()
"""


def settings_of(manager: str) -> dict[str, object]:
    name = f"quickstart-{uuid.uuid4().hex[:8]}"
    ports = choose_free("127.0.0.1", 4)
    if manager == "LocalContainerManager":
        names = ("query_port", "management_port", "rpc_port", "redis_port")
        return {"cluster_name": name, **dict(zip(names, ports, strict=True))}
    docker_names = ("clipper_query_port", "clipper_management_port", "clipper_rpc_port")
    return {"cluster_name": name, "docker_network": name, **dict(zip(docker_names, ports, strict=False))}


@pytest.fixture
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, str]:
    """The environment of a user of this machine: the settings of images, and the state directory."""
    found = {**os.environ, "CLIPPER_STATE_DIR": str(tmp_path / "state")}
    if "DockerContainerManager" in request.node.name:
        settings: ImageSettings = request.getfixturevalue("image_settings")
        assert settings.base_image and settings.build_network
        found |= {
            "CLIPPER_BASE_IMAGE": settings.base_image,
            "CLIPPER_BUILD_NETWORK": settings.build_network,
        }
    return found


@pytest.fixture(
    params=["LocalContainerManager", pytest.param("DockerContainerManager", marks=pytest.mark.docker)]
)
def arguments(request: pytest.FixtureRequest, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The manager and its arguments for the script; leftovers of a failed script are removed."""
    settings = settings_of(request.param)
    listed = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    found = {"manager": str(request.param), "arguments": listed}
    yield found
    subprocess.run([sys.executable, "-c", CLEAN_UP.format(**found)], env=environment, check=True)
    if "docker_network" in settings:
        client: docker.DockerClient = request.getfixturevalue("docker_client")
        for image in client.images.list(filters={"reference": f"{settings['cluster_name']}-*"}):
            client.images.remove(image.id, force=True)


@pytest.mark.timeout(240)
def test_the_quickstart_runs(
    arguments: dict[str, str], environment: Mapping[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "quickstart.py"
    script.write_text(SCRIPT.format(**arguments))
    finished = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    assert "applications: ['hello-world']" in finished.stdout
    assert "'output': 45.0, 'default': False" in finished.stdout
    assert finished.stdout.count("'default': False") == 3
