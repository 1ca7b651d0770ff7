"""The barrier: writers pass it once the mirrors of all live query frontends have their writes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from clipper_container.input_types import InputType
from clipper_frontend.registry.connection import RedisSettings
from clipper_frontend.registry.following.barrier import Barrier
from clipper_frontend.registry.following.follower import Follower
from clipper_frontend.registry.keys import SYNC_CHANNEL
from clipper_frontend.registry.mirror import Changes
from clipper_frontend.registry.records import ApplicationRecord, FrontendRecord, ModelRecord
from clipper_frontend.registry.store import Store
from tests.functional.conftest import RedisFactory
from tests.support.frontends.redis_server import RedisServer

REPEATED = 100
#: A wait for a frontend that lags takes a second.
AT_ONCE_S = 0.9
WAIT_S = 10.0


class Deaf:
    """A listener that ignores all changes."""

    def registry_changed(self, changes: Changes) -> None:
        """Ignore this: tests look at the mirror only."""

    def registry_replaced(self) -> None:
        """Ignore this: tests look at the mirror only."""

    def registry_followed(self) -> None:
        """Ignore this: tests look at the mirror only."""


@pytest.fixture
async def barrier(redis_server: RedisServer, store: Store) -> AsyncIterator[Barrier]:
    async with Barrier(RedisSettings(redis_server.address), store) as opened:
        await opened.wait_until_open()
        yield opened


@pytest.fixture
async def followers(redis_server: RedisServer, store: Store) -> AsyncIterator[list[Follower]]:
    """Two query frontends, `a` and `b`, as far as the registry knows."""
    settings = RedisSettings(redis_server.address)
    started = [Follower(settings, Deaf(), frontend_id=frontend_id) for frontend_id in ("a", "b")]
    for follower, frontend_id in zip(started, ("a", "b"), strict=True):
        follower.start()
        async with asyncio.timeout(WAIT_S):
            await follower.followed.wait()
        await store.put_frontend(frontend(frontend_id))
    yield started
    for follower in started:
        await follower.close()


def frontend(frontend_id: str) -> FrontendRecord:
    return FrontendRecord(frontend_id, "127.0.0.1:7000", "", "0.1.0")


@contextlib.contextmanager
def hearing_tokens(client: redis.Redis) -> Iterator[redis.client.PubSub]:
    """Receive tokens as a query frontend does, and acknowledge none."""
    with client.pubsub() as subscribed:  # type: ignore[no-untyped-call]
        subscribed.subscribe(SYNC_CHANNEL)
        assert subscribed.get_message(timeout=WAIT_S) is not None
        yield subscribed


def application(name: str) -> ApplicationRecord:
    return ApplicationRecord(name, InputType.DOUBLES, "DefaultOutputSelectionPolicy", "0", 1000)


async def test_what_is_written_is_in_all_mirrors(
    store: Store, barrier: Barrier, followers: list[Follower]
) -> None:
    for number in range(REPEATED):
        await store.add_application(application("a"))
        await store.add_model(ModelRecord("m", str(number), InputType.DOUBLES))
        await store.add_model_links("a", ["m"])
        assert await barrier.pass_through("a link") == []
        for mirror in (follower.mirror for follower in followers):
            assert mirror.applications == {"a": application("a")}
            assert mirror.linked_models("a") == {"m"}
            assert mirror.current_version("m") == str(number)
        await store.delete_application("a")
        assert await barrier.pass_through("its end") == []
        assert [follower.mirror.applications for follower in followers] == [{}, {}]


async def test_many_pass_at_the_same_time(store: Store, barrier: Barrier, followers: list[Follower]) -> None:
    async def write(name: str) -> None:
        await store.add_application(application(name))
        assert await barrier.pass_through(name) == []
        assert all(name in follower.mirror.applications for follower in followers)

    await asyncio.gather(*(write(str(number)) for number in range(REPEATED)))


async def test_a_frontend_that_does_not_answer_is_waited_for_no_longer_than_a_second(
    store: Store, barrier: Barrier, followers: list[Follower], redis_server: RedisServer
) -> None:
    await store.put_frontend(frontend("stuck"))
    with redis_server.client() as client, hearing_tokens(client):
        await store.add_application(application("a"))
        started_s = time.monotonic()
        assert await barrier.pass_through("an application") == ["stuck"]
        assert 0.9 < time.monotonic() - started_s < 3.0
    assert all("a" in follower.mirror.applications for follower in followers)


async def test_a_frontend_that_the_question_cannot_reach_is_not_waited_for(
    store: Store, barrier: Barrier, followers: list[Follower], caplog: pytest.LogCaptureFixture
) -> None:
    await store.put_frontend(frontend("away"))
    await store.add_application(application("x"))
    started_s = time.monotonic()
    assert await barrier.pass_through("an application") == ["away"]
    assert time.monotonic() - started_s < AT_ONCE_S
    assert all("x" in follower.mirror.applications for follower in followers)
    assert "was written, but these query frontends have not applied it yet: away" in caplog.text


async def test_without_frontends_nothing_is_waited_for(barrier: Barrier) -> None:
    started_s = time.monotonic()
    assert await barrier.pass_through("nothing") == []
    assert time.monotonic() - started_s < AT_ONCE_S


async def test_a_writer_that_waits_when_the_link_is_lost_passes(make_redis_server: RedisFactory) -> None:
    server = make_redis_server()
    settings = RedisSettings(server.address)
    async with Store(settings) as store, Barrier(settings, store) as barrier:
        await barrier.wait_until_open()
        await store.put_frontend(frontend("stuck"))
        with server.client() as client, hearing_tokens(client) as subscribed:
            waiting = asyncio.create_task(barrier.pass_through("something"))
            message = await asyncio.to_thread(subscribed.get_message, timeout=WAIT_S)
            assert message is not None
            started_s = time.monotonic()
            server.kill()
            await waiting
            assert time.monotonic() - started_s < AT_ONCE_S
        assert await barrier.pass_through("something") == []
