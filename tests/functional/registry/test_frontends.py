"""Query frontends in the registry: their records, and their cluster."""

from __future__ import annotations

import pytest

from clipper_frontend.errors import ClusterMismatch
from clipper_frontend.registry.records import FrontendRecord
from clipper_frontend.registry.store import Store
from tests.support.frontends.redis_server import RedisServer

RECORD = FrontendRecord(
    "f",
    "10.0.0.1:7000",
    "10.0.0.1:1390",
    "0.1.0",
    "2026-01-01T12:00:00.000Z",
    {("m", "1"): 4, ("n", "2"): 3},
    numbers=(7, 2097151),
)


async def test_a_record_is_read_as_it_was_put(store: Store) -> None:
    await store.put_frontend(RECORD)
    assert await store.list_frontends() == [RECORD]


async def test_every_frontend_gets_another_number_within_21_bits(
    store: Store, redis_server: RedisServer
) -> None:
    first, *more = [await store.take_number() for _ in range(3)]
    assert more == [(first + step) % 2**21 for step in (1, 2)]
    with redis_server.client(4) as client:
        client.set("QUERY_FRONTEND_NUMBER", 2**21 - 2)
    assert [await store.take_number() for _ in range(2)] == [2**21 - 1, 0]
    assert await store.list_frontends() == [], "the count is no frontend"


async def test_putting_again_replaces_the_record(store: Store) -> None:
    await store.put_frontend(RECORD)
    bare = FrontendRecord("f", "10.0.0.1:7001", "", "0.1.0")
    await store.put_frontend(bare)
    assert await store.list_frontends() == [bare]


async def test_a_record_lives_ten_seconds_after_its_renewal(store: Store, redis_server: RedisServer) -> None:
    await store.put_frontend(RECORD)
    with redis_server.client(4) as client:
        assert 9_000 < client.pttl("QUERY_FRONTEND:f") <= 10_000
        client.pexpire("QUERY_FRONTEND:f", 2_000)
        assert await store.renew_frontend("f")
        assert 9_000 < client.pttl("QUERY_FRONTEND:f") <= 10_000


async def test_what_has_expired_must_be_put_again(store: Store, redis_server: RedisServer) -> None:
    assert not await store.renew_frontend("f")
    assert not await store.set_ready("f", "m", "1", 4)
    with redis_server.client(4) as client:
        assert client.keys() == []


async def test_readiness_is_noted_and_taken_back(store: Store) -> None:
    await store.put_frontend(RECORD)
    assert await store.set_ready("f", "o", "3", 4)
    assert await store.set_ready("f", "m", "1", None)
    (record,) = await store.list_frontends()
    assert record.ready == {("n", "2"): 3, ("o", "3"): 4}


async def test_a_removed_frontend_is_gone(store: Store) -> None:
    await store.put_frontend(RECORD)
    await store.remove_frontend("f")
    assert await store.list_frontends() == []


async def test_the_first_cluster_marks_its_redis_and_another_is_refused(
    store: Store, redis_server: RedisServer
) -> None:
    await store.join_cluster("mine")
    await store.join_cluster("mine")
    with pytest.raises(ClusterMismatch, match="belongs to cluster 'mine', not 'yours'"):
        await store.join_cluster("yours")
    with redis_server.client(6) as client:
        assert client.get("CLUSTER_NAME") == "mine"
