"""Fixtures of functional tests: real Redis servers, and the registry in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from clipper_frontend.registry.connection import RedisSettings
from clipper_frontend.registry.store import Store
from tests.support.frontends.redis_server import Certificate, RedisServer
from tests.support.processes import ManagementFrontend

CLUSTER_NAME = "tests"
_METADATA_DB = 6

RedisFactory = Callable[..., RedisServer]


@pytest.fixture(scope="session")
def shared_redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis for all tests that neither stop nor configure it."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_server(shared_redis_server: RedisServer) -> RedisServer:
    """The shared Redis, empty; to the frontends on it, it is the same registry still."""
    with shared_redis_server.client(_METADATA_DB) as client:
        epochs = client.smembers("REGISTRY_EPOCHS")
        with client.pipeline() as together:
            together.flushall()
            if epochs:
                together.sadd("REGISTRY_EPOCHS", *epochs)
            together.execute()
    return shared_redis_server


@pytest.fixture
def make_redis_server(tmp_path: Path) -> Iterator[RedisFactory]:
    """Make started Redis servers of a test's own: make_redis_server(password=…, certificate=…)."""
    with ExitStack() as stack:

        def make(*, password: str | None = None, certificate: Certificate | None = None) -> RedisServer:
            directory = tmp_path / f"redis-{len(list(tmp_path.iterdir()))}"
            return stack.enter_context(RedisServer(directory, password=password, certificate=certificate))

        yield make


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Store]:
    """The registry in the shared Redis."""
    async with Store(RedisSettings(address=redis_server.address)) as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_management(shared_redis_server: RedisServer) -> Iterator[ManagementFrontend]:
    """One management frontend on the shared Redis."""
    with ManagementFrontend(shared_redis_server.address, cluster_name=CLUSTER_NAME) as frontend:
        frontend.wait_until_listening()
        yield frontend


@pytest.fixture
def management(shared_management: ManagementFrontend, redis_server: RedisServer) -> ManagementFrontend:
    """The shared management frontend; the registry is empty."""
    del redis_server  # it has been emptied
    return shared_management
