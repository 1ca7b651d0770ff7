"""The follower: its mirror becomes what Redis holds, whatever happens to the link."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import pytest

from clipper_container.input_types import InputType
from clipper_frontend.registry.connection import RedisSettings
from clipper_frontend.registry.following.follower import Follower
from clipper_frontend.registry.keys import ReplicaKey, VersionKey
from clipper_frontend.registry.mirror import Changes
from clipper_frontend.registry.records import ApplicationRecord, FrontendRecord, ModelRecord
from clipper_frontend.registry.replicas import ReplicaSession
from clipper_frontend.registry.store import Store
from tests.functional.conftest import RedisFactory
from tests.support.frontends.redis_server import RedisServer

WAIT_S = 10.0
_POLL_S = 0.02
MANY = 1000


class Listener:
    """Records all changes, and wakes the test that waits for more."""

    def __init__(self) -> None:
        self.changes: list[Changes] = []
        self.notices: list[str] = []
        self._told = asyncio.Event()

    def registry_changed(self, changes: Changes) -> None:
        self.changes.append(changes)
        self._told.set()

    def registry_followed(self) -> None:
        self.notices.append("followed")
        self._told.set()

    def registry_replaced(self) -> None:
        self.notices.append("replaced")
        self._told.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when `condition` holds; it is checked at each change, and periodically for a lost link."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._told.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_S):
                        await self._told.wait()

    @property
    def applications(self) -> set[str]:
        return {name for changes in self.changes for name in changes.applications}

    @property
    def models(self) -> set[str]:
        return {name for changes in self.changes for name in changes.models}


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def follower(redis_server: RedisServer, listener: Listener) -> AsyncIterator[Follower]:
    follower = Follower(RedisSettings(redis_server.address), listener)
    follower.start()
    yield follower
    await follower.close()


def application(name: str) -> ApplicationRecord:
    return ApplicationRecord(name, InputType.DOUBLES, "DefaultOutputSelectionPolicy", "0", 1000)


def model(version: str = "1", name: str = "m") -> ModelRecord:
    return ModelRecord(name, version, InputType.DOUBLES)


async def test_what_was_there_is_read_at_the_start(
    store: Store, redis_server: RedisServer, listener: Listener
) -> None:
    await store.add_application(application("a"))
    added = await store.add_model(model())
    await store.add_model_links("a", ["m"])
    await store.register_replica(ReplicaSession("m", "1", InputType.DOUBLES, "x", 4), "f")
    await store.put_frontend(FrontendRecord("f", "127.0.0.1:7000", "", "0.1.0"))
    follower = Follower(RedisSettings(redis_server.address), listener)
    follower.start()
    async with asyncio.timeout(WAIT_S):
        await follower.followed.wait()
    await follower.close()
    mirror = follower.mirror
    assert mirror.applications == {"a": application("a")}
    assert mirror.linked_models("a") == {"m"}
    assert mirror.models == {VersionKey("m", "1"): added}
    assert (mirror.current_version("m"), mirror.serving_version("m")) == ("1", "1")
    assert mirror.live_versions() == {VersionKey("m", "1")}
    assert set(mirror.frontends) == {"f"}
    assert listener.changes == [Changes(frozenset("a"), frozenset("m"), frozenset("m"), frontends=True)]
    assert listener.notices == ["followed"]


async def test_each_change_is_followed(store: Store, follower: Follower, listener: Listener) -> None:
    mirror = follower.mirror
    await follower.followed.wait()
    await store.add_application(application("a"))
    await listener.until(lambda: "a" in mirror.applications)
    await store.add_model(model("1"))
    await listener.until(lambda: mirror.serving_version("m") == "1")
    await store.add_model_links("a", ["m"])
    await listener.until(lambda: mirror.linked_models("a") == {"m"})
    await store.add_model(model("2"))
    await listener.until(lambda: mirror.current_version("m") == "2")
    assert mirror.serving_version("m") == "1"
    assert mirror.awaiting_promotion() == ["m"]
    await store.delete_model_version("m", "1")
    await listener.until(lambda: mirror.serving_version("m") == "2" and not mirror.is_registered("m", "1"))
    await store.delete_application("a")
    await listener.until(lambda: not mirror.applications and not mirror.links)
    assert listener.applications == {"a"}
    assert listener.models == {"m"}


async def test_replicas_and_frontends_are_followed(
    store: Store, follower: Follower, listener: Listener, redis_server: RedisServer
) -> None:
    mirror = follower.mirror
    await follower.followed.wait()
    await store.put_frontend(FrontendRecord("f", "127.0.0.1:7000", "", "0.1.0"))
    await store.register_replica(ReplicaSession("m", "1", InputType.DOUBLES, "x", 4), "f")
    await listener.until(lambda: "f" in mirror.frontends and bool(mirror.replicas))
    await store.set_ready("f", "m", "1", 4)
    await listener.until(lambda: mirror.frontends["f"].ready == {("m", "1"): 4})
    with redis_server.client(4) as client:
        client.pexpire("QUERY_FRONTEND:f", 1)
    await listener.until(lambda: not mirror.frontends)
    await store.release_replica("f", ReplicaKey("m", "1", 0), "x")
    await listener.until(lambda: not mirror.replicas)


async def test_renewals_are_no_changes(store: Store, follower: Follower, listener: Listener) -> None:
    await follower.followed.wait()
    await store.put_frontend(FrontendRecord("f", "127.0.0.1:7000", "", "0.1.0"))
    await store.register_replica(ReplicaSession("m", "1", InputType.DOUBLES, "x", 4), "f")
    await listener.until(lambda: bool(follower.mirror.replicas and follower.mirror.frontends))
    told = len(listener.changes)
    await store.renew_frontend("f")
    await store.renew_replicas("f", {ReplicaKey("m", "1", 0): "x"})
    await store.add_application(application("after"))
    await listener.until(lambda: "after" in follower.mirror.applications)
    assert listener.changes[told:] == [Changes(applications=frozenset({"after"}))]


async def test_a_lost_link_keeps_the_mirror_and_is_made_up_for(
    make_redis_server: RedisFactory, listener: Listener
) -> None:
    server = make_redis_server()
    settings = RedisSettings(server.address)
    follower = Follower(settings, listener)
    follower.start()
    async with Store(settings) as store:
        await store.add_application(application("kept"))
        await store.add_application(application("deleted"))
        await listener.until(lambda: len(follower.mirror.applications) == 2)
        server.kill()
        await listener.until(lambda: not follower.connected)
        assert set(follower.mirror.applications) == {"kept", "deleted"}
        # Only this client reaches Redis: the follower misses its writes.
        seen = len(listener.changes)
        server.start()
        await store.delete_application("deleted")
        await store.add_application(application("new"))
        await listener.until(lambda: set(follower.mirror.applications) == {"kept", "new"})
        assert listener.notices[:2] == ["followed", "followed"]
        assert {name for changes in listener.changes[seen:] for name in changes.applications} == {
            "deleted",
            "new",
        }
        await store.add_application(application("later"))
        await listener.until(lambda: "later" in follower.mirror.applications)
    await follower.close()


async def test_a_silent_link_is_noticed(make_redis_server: RedisFactory, listener: Listener) -> None:
    server = make_redis_server()
    follower = Follower(RedisSettings(server.address), listener)
    follower.start()
    await listener.until(lambda: follower.connected)
    server.pause()
    started_s = time.monotonic()
    await listener.until(lambda: not follower.connected)
    # Six seconds, and an allowance for a busy machine.
    assert time.monotonic() - started_s < 9.0
    server.resume()
    await listener.until(lambda: follower.connected)
    await follower.close()


async def test_redis_may_come_later(make_redis_server: RedisFactory, listener: Listener) -> None:
    server = make_redis_server()
    server.stop()
    follower = Follower(RedisSettings(server.address), listener)
    follower.start()
    server.start()
    await listener.until(lambda: follower.connected)
    assert listener.notices == ["followed"]
    await follower.close()


async def test_everything_is_reread_when_events_were_missed(
    store: Store,
    follower: Follower,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    redis_server: RedisServer,
) -> None:
    monkeypatch.setattr("clipper_frontend.registry.following.follower.RESYNC_INTERVAL_S", 0.1)
    await store.add_application(application("a"))
    await listener.until(lambda: "a" in follower.mirror.applications)
    with redis_server.client() as client:
        client.flushall()
    await listener.until(lambda: not follower.mirror.applications)


async def test_events_of_other_tools_are_kept_on(make_redis_server: RedisFactory, listener: Listener) -> None:
    server = make_redis_server()
    with server.client() as client:
        client.config_set("notify-keyspace-events", "Elm")
        follower = Follower(RedisSettings(server.address), listener)
        follower.start()
        await listener.until(lambda: follower.connected)
        assert set("AKEm") <= set(client.config_get("notify-keyspace-events")["notify-keyspace-events"])
    await follower.close()


async def test_without_config_it_says_what_must_be_set(
    make_redis_server: RedisFactory, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_redis_server()
    with server.client() as client:
        client.acl_setuser(
            "limited",
            enabled=True,
            passwords=["+pw"],
            categories=["+@all"],
            commands=["-config"],
            keys=["*"],
            channels=["*"],
        )
    follower = Follower(RedisSettings(server.address, username="limited", password="pw"), listener)
    follower.start()
    await listener.until(lambda: follower.connected)
    await follower.close()
    assert "notify-keyspace-events AKE" in caplog.text


async def test_keys_that_cannot_be_read_stop_nothing(
    store: Store,
    follower: Follower,
    listener: Listener,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await follower.followed.wait()
    for database in (2, 3, 4, 5, 6, 7):
        with redis_server.client(database) as client:
            client.lpush("a list", "x")
            client.hset("a:hash", mapping={"valid": "1", "input_type": "sounds"})
            client.hset("QUERY_FRONTEND:f", "ready:m", "4")
            client.set(b"\xff\xfe:1", b"\xff")
            client.hset("m,1,0", mapping={b"\xff": b"\xff"})
    await store.add_application(application("after"))
    await listener.until(lambda: "after" in follower.mirror.applications)
    assert listener.notices == ["followed"]
    assert "model a:hash: field 'input_type'" in caplog.text


async def test_a_thousand_applications_and_versions_are_read_within_a_second(
    redis_server: RedisServer, listener: Listener
) -> None:
    for database, prefix, record in (
        (5, "app{}", application("x").to_hash()),
        (2, "m{}:1", model().to_hash()),
    ):
        with redis_server.client(database) as client, client.pipeline() as pipeline:
            for number in range(MANY):
                pipeline.hset(prefix.format(number), mapping=record)
            pipeline.execute()
    follower = Follower(RedisSettings(redis_server.address), listener)
    started_s = time.monotonic()
    follower.start()
    await follower.followed.wait()
    took_s = time.monotonic() - started_s
    await follower.close()
    assert (len(follower.mirror.applications), len(follower.mirror.models)) == (MANY, MANY)
    assert took_s < 1.0
