"""Fixtures that several folders share: the Docker engine, its base image, a registry, clusters of Nomad.

What is slow to make is made before any test's time is taken, and once, however many processes run tests.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator

import docker
import pytest
from xdist.remote import Producer

from clipper_nomad.errors import ClipperException
from clipper_nomad.images import ImageSettings, build_component_images
from tests.support import grouping
from tests.support.docker.engine import (
    Engine,
    MissingServiceError,
    Registry,
    cache_dir,
    give_up,
    locked,
    require_base_image,
)
from tests.support.nodes.cluster import NodeCluster
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.plan import CONTRACT, PLAIN, SECURE, ClusterPlan
from tests.support.nomad.tools import require_stand_in, require_tofu, require_tools
from tests.support.scheduling import GroupScheduling, Run

pytest_plugins = ["clipper_nomad.testing.plugin", "tests.support.hostile.summary"]

_STATE_ENDS = "What the cluster's Redis holds"
# Clusters that a test of this process has asked for; they stay until its last test.
_started: set[ClusterPlan] = set()
_run = pytest.StashKey[Run]()


def pytest_configure(config: pytest.Config) -> None:
    """Let the processes of a run with pytest-xdist know of each other."""
    if given := getattr(config, "workerinput", None):
        config.stash[_run] = run = Run(given["testrunuid"])
        run.join()
        config.add_cleanup(run.leave)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling | None:
    """Distribute groups of tests, and keep what is marked `quiet` for the end."""
    return GroupScheduling(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they need, and let clusters on Nomad end without a warning: few keep their state."""
    for item in items:
        grouping.mark(item)
        if item.get_closest_marker("nomad"):
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{_STATE_ENDS}:clipper_nomad.ClipperWarning"))
    if hasattr(config, "workerinput"):
        items.sort(key=grouping.rank)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Make what is slow to make at the first time; the processes of one run wait for the first of them.

    The tests that need something report that it is missing.
    """
    if run := session.config.stash.get(_run, None):
        run.write_groups(grouping.groups_of(session.items), os.environ["PYTEST_XDIST_WORKER"])
    asked = grouping.asks_for(session.items)
    if session.config.option.collectonly or asked.isdisjoint(grouping.SLOW_TO_MAKE):
        return
    with locked(cache_dir() / "prepare.lock"):
        if not asked.isdisjoint(grouping.CLUSTERS):
            with contextlib.suppress(MissingServiceError):
                require_tools()
        if not asked.isdisjoint(grouping.TOFU):
            with contextlib.suppress(MissingServiceError):
                require_tofu()
                require_stand_in()
        if grouping.NODES in asked:
            with contextlib.suppress(MissingServiceError):
                NodeCluster().require()
        if not asked.isdisjoint(grouping.ENGINE):
            with contextlib.suppress(MissingServiceError, ClipperException), contextlib.ExitStack() as stack:
                client = stack.enter_context(Engine())
                session.config.add_cleanup(stack.pop_all().close)
                build_component_images(client, _settings(require_base_image(client)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Start the clusters that a test asks for, or wait until others have ended, before its time is taken."""
    if item.get_closest_marker("quiet") and _run in item.config.stash:
        item.config.stash[_run].await_others()
    for plan in grouping.clusters_of(item) - _started:
        _started.add(plan)
        with contextlib.suppress(MissingServiceError), contextlib.ExitStack() as stack:
            stack.enter_context(NomadCluster(plan))
            item.config.add_cleanup(stack.pop_all().close)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep of captured texts what one process can send to another, which lone surrogates are not."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def _settings(base_image: str) -> ImageSettings:
    # On the engine's own network builds reach neither a package index nor a proxy of this machine.
    return ImageSettings(base_image=base_image, build_network="host")


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """A client of a Docker engine, which is started where none runs."""
    engine = Engine()
    try:
        client = engine.__enter__()
    except MissingServiceError as error:
        give_up(str(error))
    try:
        yield client
    finally:
        engine.__exit__()


@pytest.fixture(scope="session")
def base_image(docker_client: docker.DockerClient) -> str:
    """The image that all others are built from: Debian with Python 3.11."""
    try:
        return require_base_image(docker_client)
    except MissingServiceError as error:
        give_up(str(error))
        raise


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry without a password."""
    try:
        made = Registry(tmp_path_factory.mktemp("registry"))
    except MissingServiceError as error:
        give_up(str(error))
    with made:
        yield made


@pytest.fixture(scope="session")
def image_settings(docker_client: docker.DockerClient, base_image: str) -> ImageSettings:
    """Settings with which images are built here, all of which are there: frontends, Redis, runtime."""
    settings = _settings(base_image)
    build_component_images(docker_client, settings)
    return settings


@pytest.fixture(scope="session")
def nomad_cluster() -> Iterator[NomadCluster]:
    """Nomad, Consul and Fabio: the cluster that is up, or one that is started."""
    yield from _enter(PLAIN)


@pytest.fixture(scope="session")
def contract_nomad_cluster() -> Iterator[NomadCluster]:
    """A cluster like the first, for the contract suite."""
    yield from _enter(CONTRACT)


@pytest.fixture(scope="session")
def secure_nomad_cluster() -> Iterator[NomadCluster]:
    """A cluster with ACLs and TLS, whose Nomad has no docker driver."""
    yield from _enter(SECURE)


def _enter(plan: ClusterPlan) -> Iterator[NomadCluster]:
    cluster = NomadCluster(plan)
    try:
        cluster.__enter__()
    except MissingServiceError as error:
        give_up(str(error))
    try:
        yield cluster
    finally:
        cluster.__exit__()
