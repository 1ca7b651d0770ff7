"""The contract suite's clusters: each test runs once for each manager, and those marked `smoke` once more.

That is for the Nomad manager where nodes run no images: all but how a task is run is the same there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.nomad import DynamicVolume
from clipper_nomad.types import BuildSpec, ModelVersion
from tests.contract.harness import DockerHarness, Harness, LocalHarness
from tests.contract.nomad_harness import NomadHarness
from tests.contract.raw_exec_harness import RawExecHarness
from tests.support.models import Model

RAW_EXEC = "nomad-raw_exec"
MANAGERS = ("local", "docker", "nomad", RAW_EXEC)

Build = Callable[..., str]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    config.addinivalue_line("markers", f"smoke: also runs for {RAW_EXEC}")
    config.addinivalue_line("markers", "keeps_state: its cluster can be stopped with its state kept")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is not to run without images."""
    for item in list(items):
        is_raw_exec = hasattr(item, "callspec") and item.callspec.params.get("make_harness") == RAW_EXEC
        if is_raw_exec and not item.get_closest_marker("smoke"):
            items.remove(item)


class MakeHarness(Protocol):
    """Makes a place for a cluster of one manager. On Nomad, one that keeps no state starts sooner."""

    def __call__(self, *, keeps_state: bool = False) -> Harness: ...


@pytest.fixture(scope="module", params=MANAGERS)
def make_harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeHarness:
    """Make places for clusters of one manager."""
    if request.param == "local":
        return lambda keeps_state=False: LocalHarness(tmp_path_factory.mktemp("state"))
    if request.param == RAW_EXEC:
        place = request.getfixturevalue("nomad_cluster")
        return lambda keeps_state=False: RawExecHarness(place, tmp_path_factory.mktemp("archives"))
    settings = request.getfixturevalue("image_settings")
    if request.param == "nomad":
        cluster = request.getfixturevalue("nomad_cluster")
        return lambda keeps_state=False: NomadHarness(
            cluster, settings, redis_volume=DynamicVolume() if keeps_state else None
        )
    client = request.getfixturevalue("docker_client")
    return lambda keeps_state=False: DockerHarness(client, settings)


@pytest.fixture
def harness(make_harness: MakeHarness, request: pytest.FixtureRequest) -> Iterator[Harness]:
    """A place of the test's own, where nothing runs."""
    with make_harness(keeps_state=request.node.get_closest_marker("keeps_state") is not None) as made:
        yield made


@pytest.fixture(scope="module")
def idle(make_harness: MakeHarness) -> Iterator[Harness]:
    """A place where nothing runs, and no test starts anything."""
    with make_harness() as made:
        yield made


@pytest.fixture(scope="module")
def running(make_harness: MakeHarness) -> Iterator[Harness]:
    """The place of a cluster that runs, and that no test stops."""
    with make_harness() as made:
        ClipperConnection(made.make_manager()).start_clipper()
        yield made


@pytest.fixture
def manager(running: Harness) -> Iterator[ContainerManager]:
    """A connected manager of the running cluster, which has no model before and after."""
    made = running.make_manager()
    made.connect()
    yield made
    made.stop_models(list(made.get_replicas()))


@pytest.fixture
def connection(running: Harness) -> Iterator[ClipperConnection]:
    """A connection to the running cluster, in which nothing is registered before and after."""
    made = ClipperConnection(running.make_manager())
    made.connect()
    yield made
    made.stop_all_model_containers()
    for app in made.get_all_apps():
        made.delete_application(app)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build what a manager deploys of a function."""
    folders = iter(range(1000))

    def build_function(manager: ContainerManager, function: Model, *packages: str) -> str:
        folder = tmp_path / f"model-{next(folders)}"
        save_closure(function, folder)
        return manager.build(BuildSpec(ModelVersion("any", "1"), folder, pkgs_to_install=packages))

    return build_function
