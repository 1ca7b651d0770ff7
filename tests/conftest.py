"""What tests of several folders share: the Docker engine, its base image, a registry, clusters of Nomad."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import docker
import pytest

from clipper_nomad.errors import ClipperException
from clipper_nomad.images import ImageSettings, build_component_images
from tests.support.docker.engine import Engine, MissingServiceError, Registry, give_up, require_base_image
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.plan import PLAIN, SECURE, ClusterPlan
from tests.support.nomad.tools import require_stand_in, require_tofu

pytest_plugins = ["clipper_nomad.testing.plugin"]

#: Fixtures by which a test asks for what is slow, and parameters where its fixtures do not tell by name.
_ENGINE = frozenset({"docker_client", "docker", "nomad"})
_TOFU = frozenset({"tofu", "rendered"})
_STATE_ENDS = "What the cluster's Redis holds"
_CLUSTERS = {"nomad_cluster": PLAIN, "nomad": PLAIN, "nomad-raw_exec": PLAIN, "secure_nomad_cluster": SECURE}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let clusters on Nomad end without a word of their state: few have a volume for it."""
    for item in items:
        if not _CLUSTERS.keys().isdisjoint(_asks_for(item)):
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{_STATE_ENDS}:clipper_nomad.ClipperWarning"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make what is slow to make at the first time, before any test's time is taken."""
    if session.config.option.collectonly:
        return
    asked = frozenset[str]().union(*map(_asks_for, session.items))
    # What is missing is told by the tests that need it.
    for plan in {plan for name, plan in _CLUSTERS.items() if name in asked}:
        with contextlib.suppress(MissingServiceError), contextlib.ExitStack() as stack:
            stack.enter_context(NomadCluster(plan))
            session.config.add_cleanup(stack.pop_all().close)
    if not asked.isdisjoint(_TOFU):
        with contextlib.suppress(MissingServiceError):
            require_tofu()
            require_stand_in()
    if not asked.isdisjoint(_ENGINE):
        with contextlib.suppress(MissingServiceError, ClipperException), contextlib.ExitStack() as stack:
            client = stack.enter_context(Engine())
            session.config.add_cleanup(stack.pop_all().close)
            build_component_images(client, _settings(require_base_image(client)))


def _asks_for(item: pytest.Item) -> frozenset[str]:
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    texts = (value for value in parameters if isinstance(value, str))
    return frozenset((*texts, *getattr(item, "fixturenames", ())))


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
def secure_nomad_cluster() -> Iterator[NomadCluster]:
    """A second cluster, with ACLs and TLS, whose Nomad has no docker driver."""
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
