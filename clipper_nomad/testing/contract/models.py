"""The contract of models' replicas: built, deployed, counted, scaled, watched, logged, stopped."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import BuildError, ClipperException, ContainerManagerError, DeploymentError
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.testing.harness import Build, Harness
from clipper_nomad.testing.models import constant, crashing_at_load, failing_at_load, row_sums
from clipper_nomad.testing.waiting import eventually
from clipper_nomad.types import DeploySpec, Device, ModelVersion

SUMS = ModelVersion("sums", "1")
_QUICK_BUILD_S = 5.0


def replicas(harness: Harness) -> dict[str, str]:
    return {name: run for name, run in harness.parts().items() if name.startswith("model.")}


def test_what_was_built_keeps_its_name_and_is_built_again_quickly(
    manager: ContainerManager, build: Build
) -> None:
    first = build(manager, constant("a"))
    other = build(manager, constant("b"))
    assert other != first
    started_s = time.monotonic()
    assert build(manager, constant("a")) == first
    assert time.monotonic() - started_s < _QUICK_BUILD_S


def test_a_build_that_fails_says_why(manager: ContainerManager, build: Build) -> None:
    with pytest.raises(BuildError, match="no-such-package-of-clipper"):
        build(manager, row_sums(), "no-such-package-of-clipper==1.0")


def test_replicas_are_counted_as_they_are_wanted_by_every_process(
    running: Harness, manager: ContainerManager, build: Build
) -> None:
    assert manager.get_num_replicas(SUMS) == 0
    manager.deploy(DeploySpec(SUMS, "doubles", build(manager, row_sums()), num_replicas=2))
    assert manager.get_num_replicas(SUMS) == 2
    assert manager.get_replicas() == {SUMS: 2}
    script = running.connect_script() + (
        "from clipper_nomad import ModelVersion\n"
        "sums = ModelVersion('sums', '1')\n"
        "manager.set_num_replicas(sums, manager.get_num_replicas(sums) - 1)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert manager.get_replicas() == {SUMS: 1}
    assert replicas(running).keys() == {"model.sums.1.0"}


def test_a_version_is_deployed_once(running: Harness, manager: ContainerManager, build: Build) -> None:
    image = build(manager, row_sums())
    manager.deploy(DeploySpec(SUMS, "doubles", image))
    before = running.parts()
    with pytest.raises(ContainerManagerError, match="sums:1 is deployed already"):
        manager.deploy(DeploySpec(SUMS, "doubles", image, num_replicas=2))
    assert running.parts() == before
    assert manager.get_num_replicas(SUMS) == 1


@pytest.mark.parametrize(
    ("image", "devices"),
    [("nothing-was-built:1", ()), (None, (Device("vendor/unknown"),))],
    ids=["no image", "no device"],
)
def test_what_cannot_be_deployed_leaves_nothing(
    running: Harness,
    manager: ContainerManager,
    build: Build,
    image: str | None,
    devices: tuple[Device, ...],
) -> None:
    wanted = image or build(manager, row_sums())
    with pytest.raises(ClipperException, match=image or "vendor/unknown"):
        manager.deploy(DeploySpec(SUMS, "doubles", wanted, num_replicas=2, devices=devices))
    assert manager.get_replicas() == {}
    assert replicas(running) == {}


@pytest.mark.smoke
def test_scaling_leaves_those_that_stay_untouched(
    running: Harness, manager: ContainerManager, build: Build
) -> None:
    manager.deploy(DeploySpec(SUMS, "doubles", build(manager, row_sums())))
    first = replicas(running)
    manager.set_num_replicas(SUMS, 3)
    assert replicas(running).keys() == {f"model.sums.1.{index}" for index in range(3)}
    manager.set_num_replicas(SUMS, 1)
    assert replicas(running) == first


def test_a_version_without_replicas_stays_deployed(
    running: Harness, manager: ContainerManager, build: Build
) -> None:
    other = ModelVersion("sums", "2")
    image = build(manager, row_sums())
    manager.deploy(DeploySpec(SUMS, "doubles", image))
    manager.deploy(DeploySpec(other, "doubles", image, num_replicas=0))
    eventually(lambda: manager.tail_logs(SUMS) != "", "the replica runs")
    manager.set_num_replicas(SUMS, 0)
    manager.set_num_replicas(SUMS, 0)
    assert manager.get_replicas() == {SUMS: 0, other: 0}
    assert replicas(running) == {}
    with pytest.raises(ContainerManagerError, match="sums:2 is deployed already"):
        manager.deploy(DeploySpec(other, "doubles", image))
    manager.set_num_replicas(other, 1)
    assert manager.get_replicas() == {SUMS: 0, other: 1}
    assert replicas(running).keys() == {"model.sums.2.0"}


def test_a_model_is_built_by_a_manager_that_is_not_connected(
    running: Harness, manager: ContainerManager, build: Build
) -> None:
    image = build(running.make_manager(), row_sums())
    manager.deploy(DeploySpec(SUMS, "doubles", image, num_replicas=0))
    assert manager.get_replicas() == {SUMS: 0}


def test_a_version_that_was_never_deployed_cannot_be_scaled(manager: ContainerManager) -> None:
    with pytest.raises(ContainerManagerError, match="sums:1: it is not deployed"):
        manager.set_num_replicas(SUMS, 2)


@pytest.mark.smoke
def test_a_replica_that_keeps_failing_is_reported_with_its_log_and_can_be_deployed_again(
    running: Harness, manager: ContainerManager, build: Build
) -> None:
    manager.check_replicas(SUMS)
    manager.deploy(DeploySpec(SUMS, "doubles", build(manager, failing_at_load())))

    def is_reported() -> bool:
        try:
            manager.check_replicas(SUMS)
        except DeploymentError as error:
            assert "Replica 0 of model version sums:1 keeps failing" in error.msg
            assert "weights are missing" in error.msg
            return True
        return False

    eventually(is_reported, "the failing replica is reported")
    assert "weights are missing" in manager.tail_logs(SUMS)
    manager.stop_models([SUMS])
    manager.deploy(DeploySpec(SUMS, "doubles", build(manager, row_sums())))
    connection = ClipperConnection(running.make_manager())
    connection.connect()
    eventually(lambda: connection.get_all_model_replicas() == ["sums:1:0"], "the mended version is ready")
    manager.check_replicas(SUMS)
    assert "weights are missing" not in manager.tail_logs(SUMS)


def test_how_a_replica_was_killed_is_reported(manager: ContainerManager, build: Build) -> None:
    manager.deploy(DeploySpec(SUMS, "doubles", build(manager, crashing_at_load())))
    killed = "killed by signal 11 (SIGSEGV)"

    def is_reported() -> bool:
        try:
            manager.check_replicas(SUMS)
        except DeploymentError as error:
            return killed in error.msg
        return False

    eventually(is_reported, "the end is reported")
    assert killed in manager.tail_logs(SUMS, 1000)
    # A manager that cannot know has none.
    assert "SIGSEGV" in manager.get_last_ends().get(SUMS, "SIGSEGV")


def test_a_replica_that_ended_once_is_not_failing(
    running: Harness, manager: ContainerManager, build: Build
) -> None:
    manager.deploy(DeploySpec(SUMS, "doubles", build(manager, row_sums())))
    connection = ClipperConnection(running.make_manager())
    connection.connect()
    eventually(lambda: connection.get_all_model_replicas() == ["sums:1:0"], "the replica is connected")
    before = replicas(running)
    running.kill("model.sums.1.0")

    def is_back() -> bool:
        return replicas(running).get("model.sums.1.0", "") not in ("", before["model.sums.1.0"])

    eventually(is_back, "the replica is started again")

    def is_forgiven() -> bool:
        try:
            manager.check_replicas(SUMS)
        except DeploymentError:
            return False
        return True

    # An end soon after its start counts until it is ready again.
    eventually(is_forgiven, "the replica is not failing any more")


def test_stopped_versions_are_gone_and_can_be_deployed_again(
    running: Harness, manager: ContainerManager, build: Build
) -> None:
    image = build(manager, row_sums())
    manager.deploy(DeploySpec(SUMS, "doubles", image, num_replicas=2))
    manager.stop_models([SUMS, ModelVersion("unknown", "1")])
    assert replicas(running) == {}
    assert manager.get_replicas() == {}
    manager.deploy(DeploySpec(SUMS, "doubles", image))
    assert manager.get_replicas() == {SUMS: 1}


@pytest.mark.smoke
def test_logs_are_one_file_per_part(
    running: Harness, manager: ContainerManager, build: Build, tmp_path: Path
) -> None:
    manager.deploy(DeploySpec(SUMS, "doubles", build(manager, row_sums()), num_replicas=2))
    eventually(lambda: manager.tail_logs(SUMS, 1) != "", "the replicas have logged something")
    folder = tmp_path / "not" / "there"
    paths = manager.get_logs(folder)
    assert {path.name for path in paths} >= {f"{running.cluster_name}-{part}.log" for part in running.parts()}
    assert all(path.parent == folder and path.is_file() for path in paths)
    redis = folder / f"{running.cluster_name}-redis.log"
    assert "Ready to accept connections" in redis.read_text()
    assert manager.tail_logs(ModelVersion("unknown", "1")) == ""
