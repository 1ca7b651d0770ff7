"""The state of policies in Redis: sums, lifetimes, batches that are written once, users who are forgotten."""

from __future__ import annotations

import asyncio
import time

from clipper_container.input_types import InputType
from clipper_frontend.query.feedback.writer import SETTLE_LIMIT_S
from clipper_frontend.registry.records import ApplicationRecord
from clipper_frontend.registry.selection import Addition, StateKey
from clipper_frontend.registry.store import Store
from tests.support.frontends.redis_server import RedisServer

STATE_DB = 1
KEY = StateKey("digits", "squared[0.0,10.0]")
MANY = 1000


def addition(key: StateKey = KEY, bucket: int = 0, expires_at: int | None = None, **counts: int) -> Addition:
    return Addition(key, bucket, expires_at, counts or {"rounds": 1})


def in_an_hour() -> int:
    return int(time.time()) + 3600


async def test_increments_are_summed_by_bucket_and_read_back(store: Store) -> None:
    assert await store.add_increments("a", [addition(rounds=1, loss=7), addition(bucket=900, rounds=2)], MANY)
    assert await store.add_increments("b", [addition(rounds=1, loss=-3)], MANY)
    other = KEY._replace(state_name="zero_one")
    assert await store.read_states([KEY, other]) == [{0: {"rounds": 2, "loss": 4}, 900: {"rounds": 2}}, {}]


async def test_nothing_to_read_asks_nothing(store: Store) -> None:
    assert await store.read_states([]) == []


async def test_a_batch_is_written_once(store: Store) -> None:
    assert await store.add_increments("a", [addition()], MANY)
    assert not await store.add_increments("a", [addition()], MANY)
    assert await store.read_states([KEY]) == [{0: {"rounds": 1}}]


async def test_what_became_of_a_batch_can_be_asked(store: Store) -> None:
    await store.add_increments("written", [addition()], MANY)
    assert await store.settle_increments("written")
    assert not await store.settle_increments("lost")


async def test_a_batch_that_was_settled_as_lost_is_never_written(store: Store) -> None:
    assert not await store.settle_increments("late")
    assert not await store.add_increments("late", [addition()], MANY)
    assert await store.read_states([KEY]) == [{}]


async def test_of_a_writers_batches_each_is_written_once_and_none_after_it_was_settled(store: Store) -> None:
    assert await store.add_increments("w", [addition()], MANY, sequence=1)
    assert not await store.settle_increments("w", sequence=2)
    assert not await store.add_increments("w", [addition()], MANY, sequence=2), "it was settled as lost"
    assert await store.add_increments("w", [addition()], MANY, sequence=3)
    for late in (1, 2, 3):
        assert not await store.add_increments("w", [addition()], MANY, sequence=late)
    assert await store.settle_increments("w", sequence=3)
    assert await store.add_increments("another", [addition()], MANY, sequence=1)
    assert await store.read_states([KEY]) == [{0: {"rounds": 3}}]


async def test_the_outcome_of_a_batch_outlives_an_absence_of_redis_and_takes_one_key_for_each_writer(
    store: Store, redis_server: RedisServer
) -> None:
    for sequence in range(1, 20):
        await store.add_increments("w", [addition()], MANY, sequence=sequence)
    await store.settle_increments("cancelled")
    with redis_server.client(STATE_DB) as client:
        assert sorted(client.keys("selection_batch:*")) == ["selection_batch:cancelled", "selection_batch:w"]
        for key in client.keys("selection_batch:*"):
            assert client.ttl(key) > SETTLE_LIMIT_S


async def test_frontends_that_write_at_the_same_time_lose_nothing(store: Store) -> None:
    await asyncio.gather(*(store.add_increments(f"{i}", [addition(n=i)], MANY) for i in range(100)))
    assert await store.read_states([KEY]) == [{0: {"n": sum(range(100))}}]


async def test_names_may_hold_colons_and_users_do_not_mix(store: Store) -> None:
    users = [KEY._replace(user=user) for user in ("", "a", "a:0", "a:buckets", "users", "*")]
    await store.add_increments("t", [addition(key, n=i) for i, key in enumerate(users, 1)], MANY)
    assert await store.read_states(users) == [{0: {"n": i}} for i in range(1, len(users) + 1)]


async def test_buckets_end_when_they_are_to(store: Store, redis_server: RedisServer) -> None:
    await store.add_increments("a", [addition(bucket=900, expires_at=in_an_hour())], MANY)
    await store.add_increments("b", [addition(bucket=1800, expires_at=in_an_hour() + 900)], MANY)
    await store.add_increments("c", [addition(bucket=900, expires_at=in_an_hour())], MANY)
    prefix = "selection:digits:squared[0.0,10.0]::"
    with redis_server.client(STATE_DB) as client:
        assert 3590 < client.ttl(f"{prefix}900") <= 3600
        assert 4490 < client.ttl(f"{prefix}buckets") <= 4500
        client.delete(f"{prefix}900")
    assert await store.read_states([KEY]) == [{1800: {"rounds": 1}}]
    with redis_server.client(STATE_DB) as client:
        assert client.smembers(f"{prefix}buckets") == {"1800"}


async def test_what_is_never_forgotten_never_ends(store: Store, redis_server: RedisServer) -> None:
    await store.add_increments("a", [addition(expires_at=in_an_hour())], MANY)
    await store.add_increments("b", [addition()], MANY)
    with redis_server.client(STATE_DB) as client:
        assert client.ttl("selection:digits:squared[0.0,10.0]::0") == -1
        assert client.ttl("selection:digits:squared[0.0,10.0]::buckets") == -1


async def test_users_who_gave_feedback_longest_ago_are_forgotten(
    store: Store, redis_server: RedisServer
) -> None:
    async def feedback(user: str) -> None:
        await store.add_increments(f"{user} {time.time()}", [addition(KEY._replace(user=user))], 2)
        await asyncio.sleep(0.002)  # the order of users is by milliseconds

    for user in ("ann", "bob", "ann", "cid"):
        await feedback(user)
    states = await store.read_states([KEY._replace(user=user) for user in ("ann", "bob", "cid")])
    assert states == [{0: {"rounds": 2}}, {}, {0: {"rounds": 1}}]
    with redis_server.client(STATE_DB) as client:
        assert client.keys("selection:*bob*") == []


async def test_a_counter_that_is_full_stays_so(store: Store) -> None:
    most = 2**63 - 1
    await store.add_increments("a", [addition(n=most, rounds=1)], MANY)
    assert await store.add_increments("b", [addition(n=1, rounds=1)], MANY)
    assert await store.read_states([KEY]) == [{0: {"n": most, "rounds": 2}}]


async def test_what_was_learnt_ends_with_its_application(store: Store, redis_server: RedisServer) -> None:
    await store.add_application(
        ApplicationRecord("digits", InputType.DOUBLES, "DefaultOutputSelectionPolicy", "0", 1000)
    )
    await store.add_increments("a", [addition(), addition(KEY._replace(user="ann"))], MANY)
    await store.delete_application("digits")
    with redis_server.client(STATE_DB) as client:
        assert client.keys("selection:*") == []
