"""A cluster on nodes that run no images: processes by the driver raw_exec, models as archives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers import python as python_deployer
from clipper_nomad.errors import BuildError, ClipperWarning, ContainerManagerError, DeploymentError
from clipper_nomad.managers.nomad import DynamicVolume
from tests.contract.raw_exec_harness import RawExecHarness
from tests.support.docker import package_index
from tests.support.frontends.cluster import predict
from tests.support.models import Model, row_sums
from tests.support.nomad.cluster import NomadCluster
from tests.support.processes import eventually

pytestmark = pytest.mark.timeout(240)
#: Redis, three frontends, and three replicas, each with the process that watches it.
_PROCESSES = 4 + 3 * 2


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a package that only pip on this machine finds, and return its name."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / package_index.WHEEL).write_bytes(package_index.make_wheel())
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return package_index.PACKAGE


@pytest.fixture
def harness(nomad_cluster: NomadCluster, tmp_path: Path) -> Iterator[RawExecHarness]:
    with RawExecHarness(nomad_cluster, tmp_path / "archives") as made:
        yield made


@pytest.fixture(scope="module")
def running(
    nomad_cluster: NomadCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RawExecHarness]:
    """The place of a cluster that runs, without models."""
    with RawExecHarness(nomad_cluster, tmp_path_factory.mktemp("archives")) as made:
        ClipperConnection(made.make_manager()).start_clipper()
        yield made


def using_the_package() -> Model:
    """Return the package's value, which is 7, times each input's first number."""

    def predict(inputs: Any) -> list[str]:
        import importlib

        value = importlib.import_module("clipper_tiny").VALUE
        print("the package is here", flush=True)
        return [str(value * row[0]) for row in inputs]

    return predict


def answer(connection: ClipperConnection, number: float) -> Any:
    return predict(connection.get_query_addr(), "app", input=[number, 1.0])["output"]


def test_models_with_packages_come_scale_go_back_and_go(
    harness: RawExecHarness, packages: str, tmp_path: Path
) -> None:
    connection = ClipperConnection(harness.make_manager())
    connection.start_clipper(num_frontend_replicas=2)
    assert harness.parts().keys() == {
        "redis",
        "management-frontend",
        "query-frontend.0",
        "query-frontend.1",
    }
    connection.register_application("app", "doubles", "none", 5_000_000)
    python_deployer.deploy_python_closure(
        connection, "tiny", 1, "doubles", using_the_package(), pkgs_to_install=[packages]
    )
    connection.link_model_to_app("app", "tiny")
    assert answer(connection, 3.0) == 21.0
    connection.set_num_replicas("tiny", 2)
    assert connection.get_all_model_replicas() == ["tiny:1:0", "tiny:1:1"]

    python_deployer.deploy_python_closure(connection, "tiny", 2, "doubles", row_sums())
    assert answer(connection, 4.0) == 5.0
    connection.set_model_version("tiny", 1)
    eventually(lambda: answer(connection, 5.0) == 35.0, "the version before is back")

    killed = set(harness.pids("model.tiny.1.0"))
    harness.kill("model.tiny.1.0")
    eventually(lambda: bool(set(harness.pids("model.tiny.1.0")) - killed), "it is started again")
    eventually(lambda: len(harness.pids()) == _PROCESSES, "what was killed has ended")

    logs = {
        Path(path).name: Path(path).read_text()
        for path in connection.get_clipper_logs(str(tmp_path / "logs"))
    }
    assert "Ready to accept connections" in logs[f"{harness.cluster_name}-redis.log"]
    served = [text for name, text in logs.items() if "-model.tiny.1." in name]
    assert any("the package is here" in text for text in served)

    with pytest.raises(ContainerManagerError, match=r"Cannot keep the state.*its Redis has no volume"):
        connection.stop_all(keep_state=True)
    assert answer(connection, 6.0) == 42.0
    pids = harness.pids()
    assert len(pids) == _PROCESSES
    connection.stop_all()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert harness.is_gone()


def test_without_a_volume_the_state_that_would_be_lost_is_warned_of(running: RawExecHarness) -> None:
    connection = ClipperConnection(running.make_manager())
    with pytest.warns(ClipperWarning, match=r"ends with Redis' job: set redis_volume .* or redis_ip"):
        connection.start_clipper()


def test_a_volume_that_the_driver_cannot_mount_is_refused_and_nothing_is_left(
    nomad_cluster: NomadCluster, tmp_path: Path
) -> None:
    with RawExecHarness(nomad_cluster, tmp_path, redis_volume=DynamicVolume()) as harness:
        with pytest.raises(ContainerManagerError, match=r"the driver raw_exec mounts no volumes"):
            ClipperConnection(harness.make_manager()).start_clipper()
        assert harness.is_gone()


def connect(running: RawExecHarness, artifact_url: str | None) -> ClipperConnection:
    """Return the connection of a user whose archives are at another address."""
    settings = replace(running.settings, artifact_url=artifact_url)
    connection = ClipperConnection(running.make_manager(settings=settings))
    connection.connect()
    return connection


def test_a_model_without_a_place_for_its_archive_is_refused_at_once(running: RawExecHarness) -> None:
    connection = connect(running, None)
    with pytest.raises(BuildError, match="without artifact_url: "):
        python_deployer.deploy_python_closure(connection, "sums", 1, "doubles", row_sums())
    assert connection.get_all_models() == []


def test_an_archive_that_nodes_cannot_fetch_is_reported_and_leaves_nothing(running: RawExecHarness) -> None:
    connection = connect(running, f"http://{running.place.address}:9/")
    with pytest.raises(DeploymentError, match=r"failed to download artifact .*connection refused"):
        python_deployer.deploy_python_closure(connection, "sums", 1, "doubles", row_sums())
    assert connection.cm.get_replicas() == {}
