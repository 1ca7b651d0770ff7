"""Replicas of models on a local cluster: deployed, scaled, watched, stopped."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.errors import ClipperWarning, ContainerManagerError
from clipper_nomad.managers.local import LocalContainerManager
from clipper_nomad.managers.local.leftovers import is_alive
from clipper_nomad.types import DeploySpec, Device, ModelVersion, Resources
from tests.support.local_clusters import LocalCluster, build_model
from tests.support.models import row_sums
from tests.support.proc import cpu_s, stat_fields
from tests.support.processes import eventually

SUMS = ModelVersion("sums", "1")


@pytest.fixture
def sums_image(manager: LocalContainerManager, tmp_path: Path) -> str:
    return build_model(manager, tmp_path / "sums", row_sums())


def failing_at_load() -> Any:
    """Return a model whose function cannot be loaded."""

    class Unloadable:
        def __reduce__(self) -> Any:
            return exec, ("raise RuntimeError('weights are missing')",)

        def __call__(self, _inputs: Any) -> list[str]:
            return []

    return Unloadable()


def test_replicas_are_counted_as_they_are_wanted(manager: LocalContainerManager, sums_image: str) -> None:
    assert manager.get_num_replicas(SUMS) == 0
    manager.deploy(DeploySpec(SUMS, "doubles", sums_image, num_replicas=2))
    assert manager.get_num_replicas(SUMS) == 2
    assert manager.get_replicas() == {SUMS: 2}
    manager.stop_models([SUMS, ModelVersion("unknown", "1")])
    assert manager.get_replicas() == {}


def test_deployed_replicas_become_ready(
    cluster: LocalCluster, manager: LocalContainerManager, sums_image: str
) -> None:
    manager.deploy(DeploySpec(SUMS, "doubles", sums_image, num_replicas=2))
    for name in ("model.sums.1.0", "model.sums.1.1"):
        eventually(partial(cluster.is_ready, name), f"{name} is ready")
    manager.check_replicas(SUMS)


def test_supervisord_rests_while_replicas_serve(
    cluster: LocalCluster, manager: LocalContainerManager, sums_image: str
) -> None:
    for version in ("1", "2"):
        manager.deploy(DeploySpec(ModelVersion("sums", version), "doubles", sums_image, 2))
    names = [f"model.sums.{version}.{index}" for version in ("1", "2") for index in (0, 1)]
    eventually(lambda: all(map(cluster.is_ready, names)), "the replicas to be ready")
    supervisord = int(stat_fields(cluster.pid(names[0]))[1])
    before_s = cpu_s(supervisord)
    time.sleep(1.0)
    assert cpu_s(supervisord) - before_s < 0.3


def test_scaling_adds_replicas_and_drains_those_of_the_highest_numbers(
    cluster: LocalCluster, manager: LocalContainerManager, sums_image: str
) -> None:
    manager.deploy(DeploySpec(SUMS, "doubles", sums_image))
    first = cluster.pid("model.sums.1.0")
    manager.set_num_replicas(SUMS, 3)
    eventually(lambda: cluster.is_ready("model.sums.1.2"), "the third replica is ready")
    manager.set_num_replicas(SUMS, 1)
    assert [name for name in cluster.processes() if name.startswith("model.")] == ["model.sums.1.0"]
    assert cluster.pid("model.sums.1.0") == first
    manager.set_num_replicas(SUMS, 0)
    assert manager.get_replicas() == {SUMS: 0}
    manager.set_num_replicas(SUMS, 1)
    assert manager.get_num_replicas(SUMS) == 1


def test_a_version_that_was_never_deployed_cannot_be_scaled(manager: LocalContainerManager) -> None:
    with pytest.raises(ContainerManagerError, match="sums:1: it is not deployed"):
        manager.set_num_replicas(SUMS, 2)


def test_a_version_is_deployed_once(
    cluster: LocalCluster, manager: LocalContainerManager, sums_image: str
) -> None:
    manager.deploy(DeploySpec(SUMS, "doubles", sums_image))
    first = cluster.pid("model.sums.1.0")
    with pytest.raises(ContainerManagerError, match="sums:1 is deployed already"):
        manager.deploy(DeploySpec(SUMS, "doubles", sums_image, num_replicas=2))
    assert cluster.pid("model.sums.1.0") == first
    assert manager.get_num_replicas(SUMS) == 1


def test_only_built_models_are_deployed(manager: LocalContainerManager, tmp_path: Path) -> None:
    with pytest.raises(ContainerManagerError, match="not a built model"):
        manager.deploy(DeploySpec(SUMS, "doubles", str(tmp_path)))
    assert manager.get_replicas() == {}


def test_a_killed_replica_comes_back(
    cluster: LocalCluster, manager: LocalContainerManager, sums_image: str
) -> None:
    manager.deploy(DeploySpec(SUMS, "doubles", sums_image))
    eventually(lambda: cluster.is_ready("model.sums.1.0"), "the replica is ready")
    killed = cluster.pid("model.sums.1.0")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: cluster.pid("model.sums.1.0") not in (0, killed), "the replica is started again")
    eventually(lambda: cluster.is_ready("model.sums.1.0"), "the replica is ready again")
    manager.check_replicas(SUMS)


def test_processes_that_a_model_started_end_with_its_replica(
    manager: LocalContainerManager, tmp_path: Path
) -> None:
    pid_path = tmp_path / "pid"
    target = str(pid_path)

    class Starting:
        def __reduce__(self) -> Any:
            code = (
                f"import subprocess as s, pathlib as p; c = s.Popen(['sleep', '600']); "
                f"p.Path({target!r}).write_text(str(c.pid)); c.returncode = 0"
            )
            return eval, (f"exec({code!r}) or str",)

        def __call__(self, _inputs: Any) -> list[str]:
            return []

    manager.deploy(DeploySpec(SUMS, "doubles", build_model(manager, tmp_path / "model", Starting())))
    eventually(lambda: pid_path.exists() and pid_path.read_text() != "", "the model has started a process")
    child = int(pid_path.read_text())
    assert is_alive(child)
    manager.stop_models([SUMS])
    assert not is_alive(child)


def test_devices_are_refused_and_limits_are_ignored_with_a_warning(
    manager: LocalContainerManager, sums_image: str
) -> None:
    with pytest.raises(ContainerManagerError, match="'nvidia/gpu' to model version sums:1"):
        manager.deploy(DeploySpec(SUMS, "doubles", sums_image, devices=(Device("nvidia/gpu"),)))
    assert manager.get_replicas() == {}
    with pytest.warns(ClipperWarning, match="neither CPU nor memory"):
        manager.deploy(DeploySpec(SUMS, "doubles", sums_image, resources=Resources(memory=100)))


def test_saved_logs_are_escaped(
    cluster: LocalCluster, manager: LocalContainerManager, tmp_path: Path
) -> None:
    logs_dir = cluster.state.logs_dir
    (logs_dir / "hostile.log").write_bytes(b"\x1b[2Jnew\n")
    (logs_dir / "hostile.log.1").write_bytes(b"\x07old\r\n")
    manager.get_logs(tmp_path / "logs")
    assert (tmp_path / "logs" / "tests-hostile.log").read_text() == "\\x07old\n\\x1b[2Jnew\n"


def test_logs_are_one_file_per_process(
    manager: LocalContainerManager, sums_image: str, tmp_path: Path
) -> None:
    manager.deploy(DeploySpec(SUMS, "doubles", sums_image, num_replicas=2))
    paths = manager.get_logs(tmp_path / "logs")
    assert {path.name for path in paths} >= {
        "tests-redis.log",
        "tests-management-frontend.log",
        "tests-query-frontend-0.log",
        "tests-model.sums.1.0.log",
        "tests-model.sums.1.1.log",
    }
    assert "Ready to accept connections" in (tmp_path / "logs" / "tests-redis.log").read_text()
    assert manager.tail_logs(ModelVersion("unknown", "1")) == ""
