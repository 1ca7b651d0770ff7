"""Replicas in the registry: their numbers, and the holds of frontends."""

from __future__ import annotations

import asyncio

from clipper_container.input_types import InputType
from clipper_frontend.registry.keys import ReplicaKey
from clipper_frontend.registry.records import ReplicaRecord
from clipper_frontend.registry.replicas import ReplicaSession
from clipper_frontend.registry.store import Store
from tests.support.frontends.redis_server import RedisServer


def session(instance_id: str, model_name: str = "m", model_version: str = "1") -> ReplicaSession:
    return ReplicaSession(model_name, model_version, InputType.DOUBLES, instance_id, 4, 17, -1)


async def test_numbers_are_the_lowest_free_ones(store: Store) -> None:
    assert [await store.register_replica(session(name), "f") for name in ("x", "y", "z")] == [0, 1, 2]
    await store.release_replica("f", ReplicaKey("m", "1", 1), "y")
    assert await store.register_replica(session("w"), "f") == 1
    assert await store.register_replica(session("v"), "f") == 3


async def test_an_instance_has_one_number_on_every_frontend(store: Store) -> None:
    await store.register_replica(session("x"), "f")
    await store.register_replica(session("y"), "f")
    await store.release_replica("f", ReplicaKey("m", "1", 0), "x")
    assert await store.register_replica(session("y"), "g") == 1
    assert len(await store.get_replicas()) == 1


async def test_parallel_registrations_get_different_numbers(store: Store) -> None:
    numbers = await asyncio.gather(*(store.register_replica(session(f"i{n}"), "f") for n in range(30)))
    assert sorted(numbers) == list(range(30))


async def test_versions_number_their_replicas_apart(store: Store) -> None:
    for name, version in (("m", "1"), ("m", "2"), ("m1", "1"), ("m*", "1"), ("m[1]?", "1")):
        assert await store.register_replica(session("x", name, version), "f") == 0


async def test_a_replica_is_read_as_it_was_registered(store: Store) -> None:
    await store.register_replica(session("x"), "f")
    expected = ReplicaRecord("m", "1", 0, InputType.DOUBLES, -1, 17, "x", 4)
    assert await store.get_replica(ReplicaKey("m", "1", 0)) == expected
    assert await store.get_replicas() == [expected]
    assert await store.get_replica(ReplicaKey("m", "1", 1)) is None


async def test_a_record_stays_while_another_frontend_holds_it(store: Store) -> None:
    await store.register_replica(session("x"), "f")
    await store.register_replica(session("x"), "g")
    await store.release_replica("f", ReplicaKey("m", "1", 0), "x")
    assert len(await store.get_replicas()) == 1
    await store.release_replica("g", ReplicaKey("m", "1", 0), "x")
    assert await store.get_replicas() == []


async def test_a_hold_that_has_ended_keeps_no_record(store: Store, redis_server: RedisServer) -> None:
    await store.register_replica(session("x"), "f")
    with redis_server.client(3) as client:
        client.hset("m,1,0", "holder:dead", 1)
    await store.release_replica("f", ReplicaKey("m", "1", 0), "x")
    assert await store.get_replicas() == []


async def test_records_expire_and_renewals_prolong(store: Store, redis_server: RedisServer) -> None:
    await store.register_replica(session("x"), "f")
    with redis_server.client(3) as client:
        assert 29_000 < client.pttl("m,1,0") <= 30_000
        client.pexpire("m,1,0", 5_000)
        before_ms = int(client.hget("m,1,0", "holder:f"))
        assert await store.renew_replicas("f", {ReplicaKey("m", "1", 0): "x"}) == []
        assert 29_000 < client.pttl("m,1,0") <= 30_000
        assert int(client.hget("m,1,0", "holder:f")) >= before_ms


async def test_a_renewal_returns_the_records_that_are_gone_or_anothers(store: Store) -> None:
    await store.register_replica(session("x"), "f")
    held = {ReplicaKey("m", "1", 0): "another", ReplicaKey("m", "1", 1): "x", ReplicaKey("m", "2", 0): "x"}
    assert await store.renew_replicas("f", held) == list(held)
    assert await store.renew_replicas("f", {}) == []


async def test_another_instances_record_is_not_released(store: Store) -> None:
    await store.register_replica(session("x"), "f")
    await store.release_replica("f", ReplicaKey("m", "1", 0), "another")
    assert len(await store.get_replicas()) == 1


async def test_keys_of_other_tools_are_passed_over(store: Store, redis_server: RedisServer) -> None:
    with redis_server.client(3) as client:
        client.hset("m,1,zero", "model_name", "m")
        client.hset("m,1,5", "input_type", "sounds")
        client.set("m,1,6", "text")
    assert await store.get_replicas() == []
    assert await store.register_replica(session("x"), "f") == 0
