"""Each component's program with each driver."""

from __future__ import annotations

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import Artifact, Component, Interpolated
from clipper_nomad.managers.nomad.drivers import DockerDriver, ExecDriver, RawExecDriver, RegistryAuth
from tests.support.nomad.jobspec_examples import ARCHIVE


def test_docker_maps_the_ports_that_images_listen_on() -> None:
    program = DockerDriver().program(Component("query-frontend", "query:1"))
    assert program.config == {
        "image": "query:1",
        "init": True,
        "ports": ["query", "rpc", "admin"],
        "image_pull_timeout": "600s",
    }
    assert program.ports == {"query": 1337, "rpc": 7000, "admin": 1390}


def test_docker_on_the_hosts_network_maps_none() -> None:
    program = DockerDriver(network_mode="host").program(Component("redis", "redis:1"))
    assert program.ports == {}
    # The image listens on 6379, which is another's.
    assert program.config["args"] == ("--port", "${NOMAD_PORT_redis}")


def test_dockers_own_settings_win() -> None:
    driver = DockerDriver(
        auth=RegistryAuth("me", "secret"), force_pull=True, config={"force_pull": False, "cap_add": []}
    )
    config = driver.program(Component("redis", "redis:1", ("--dir", "/data"))).config
    assert config["args"] == ("--dir", "/data")
    assert config["auth"] == {"username": "me", "password": "secret"}
    assert config["force_pull"] is False
    assert config["cap_add"] == []
    assert "secret" not in repr(driver)


def test_docker_needs_an_image() -> None:
    with pytest.raises(
        ContainerManagerError, match="query-frontend with the docker driver: there is no image"
    ):
        DockerDriver().program(Component("query-frontend", ""))


@pytest.mark.parametrize("driver", [ExecDriver("/opt/clipper/bin/"), RawExecDriver("/opt/clipper/bin")])
def test_programs_are_run_from_their_folder(driver: ExecDriver) -> None:
    program = driver.program(Component("query-frontend", ""))
    assert program.config == {"command": "/opt/clipper/bin/clipper-query-frontend"}
    assert program.ports == {}
    assert driver.program(Component("redis", "")).config["command"] == "/opt/clipper/bin/redis-server"


def test_programs_are_found_on_the_path() -> None:
    assert ExecDriver().program(Component("management-frontend", "")).config == {
        "command": "clipper-management-frontend"
    }


def test_redis_runs_without_an_image_as_it_does_in_one() -> None:
    arguments = RawExecDriver().program(Component("redis", "", ("--dir", "/x"))).config["args"]
    assert isinstance(arguments, tuple)
    text = " ".join(arguments)
    assert text.startswith("--port ${NOMAD_PORT_redis} --bind * -::* --protected-mode no")
    assert text.endswith("--notify-keyspace-events AKE --dir /x")
    assert isinstance(arguments[1], Interpolated)


def test_a_model_without_an_image_is_an_archive_that_is_fetched_and_checked() -> None:
    program = RawExecDriver().program(Component("model", ARCHIVE))
    assert program.config == {"command": "clipper-container"}
    source = "http://artifacts.example:8080/resnet.tar.gz?a=b&c=d"
    assert program.artifacts == (Artifact(source, f"sha256:{'0a' * 32}"),)
    assert program.environment["CLIPPER_MODEL_PATH"] == "${NOMAD_TASK_DIR}/model"
    assert program.environment["PYTHONPATH"] == "${NOMAD_TASK_DIR}/packages"


@pytest.mark.parametrize(
    "package", ["", "resnet:2", "http://x/y.tar.gz", "http://x#sha256:12", f"#sha256:{'0a' * 32}"]
)
def test_a_model_that_is_no_archive_is_refused(package: str) -> None:
    with pytest.raises(ContainerManagerError, match="is not a <url>#sha256:<hex>"):
        ExecDriver().program(Component("model", package))
