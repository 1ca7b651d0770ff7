"""The pytest plugin of the contract suite: its marks, and the fixtures between a harness and a test.

All rest on `make_harness`, a fixture of module scope that the tests of a manager define.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.testing.harness import Build, Harness, MakeHarness
from clipper_nomad.testing.models import Model
from clipper_nomad.types import BuildSpec, ModelVersion

# So that a test that fails shows the values, as it would in the project's own tests.
pytest.register_assert_rewrite("clipper_nomad.testing.contract")


def pytest_configure(config: pytest.Config) -> None:
    """Register the suite's marks."""
    config.addinivalue_line("markers", "smoke: one of the few tests that touch most of a manager")
    config.addinivalue_line("markers", "keeps_state: its cluster can be stopped with its state kept")


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
def app(connection: ClipperConnection) -> str:
    """The name of an application for doubles, with no model."""
    connection.register_application("app", "doubles", "none", 2_000_000)
    return "app"


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build what a manager deploys of a function."""
    folders = iter(range(1000))

    def build_function(manager: ContainerManager, function: Model, *packages: str) -> str:
        folder = tmp_path / f"model-{next(folders)}"
        save_closure(function, folder)
        return manager.build(BuildSpec(ModelVersion("any", "1"), folder, pkgs_to_install=packages))

    return build_function
