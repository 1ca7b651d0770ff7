"""The contract suite's clusters: each test runs once for each manager, and those marked `smoke` once more.

That is for the Nomad manager where nodes run no images: all but how a task is run is the same there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clipper_container.closure import save_closure
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.types import BuildSpec, ModelVersion
from tests.contract.harness import DockerHarness, Harness, LocalHarness
from tests.contract.nomad_harness import NomadHarness
from tests.contract.raw_exec_harness import RawExecHarness
from tests.models import Model

RAW_EXEC = "nomad-raw_exec"
MANAGERS = ("local", "docker", "nomad", RAW_EXEC)

Build = Callable[..., str]


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"smoke: also runs for {RAW_EXEC}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is not to run without images, and let the rest lose its state there without a word."""
    for item in list(items):
        if hasattr(item, "callspec") and item.callspec.params.get("make_harness") == RAW_EXEC:
            item.add_marker(pytest.mark.filterwarnings("ignore:What the cluster's Redis holds"))
            if not item.get_closest_marker("smoke"):
                items.remove(item)


@pytest.fixture(scope="module", params=MANAGERS)
def make_harness(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Harness]:
    """Make places for clusters of one manager."""
    if request.param == "local":
        return lambda: LocalHarness(tmp_path_factory.mktemp("state"))
    if request.param == RAW_EXEC:
        place = request.getfixturevalue("nomad_cluster")
        return lambda: RawExecHarness(place, tmp_path_factory.mktemp("archives"))
    settings = request.getfixturevalue("image_settings")
    if request.param == "nomad":
        cluster = request.getfixturevalue("nomad_cluster")
        return lambda: NomadHarness(cluster, settings)
    client = request.getfixturevalue("docker_client")
    return lambda: DockerHarness(client, settings)


@pytest.fixture
def harness(make_harness: Callable[[], Harness]) -> Iterator[Harness]:
    """A place of the test's own, where nothing runs."""
    with make_harness() as made:
        yield made


@pytest.fixture(scope="module")
def running(make_harness: Callable[[], Harness]) -> Iterator[Harness]:
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
