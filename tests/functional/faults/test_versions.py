"""Model versions change under a steady load."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.frontends.cluster import Cluster, predict
from tests.support.frontends.load import SteadyLoad
from tests.support.models import constant
from tests.support.processes import eventually


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


def same_query(_: int) -> bytes:
    return b'{"input": [1.0, 2.0]}'


async def test_a_new_version_takes_over_without_a_default(cluster: Cluster) -> None:
    cluster.serve(constant("1"), slo_s=0.5)
    async with SteadyLoad(cluster.frontend.rest, make_body=same_query) as load:
        await load.more(100)
        await asyncio.to_thread(cluster.start_container, constant("2"), "model", "2")
        await asyncio.to_thread(cluster.add_model, "model", "2")
        await load.until(lambda answer: answer.body["output"] == 2)
        await load.more(100)
    assert load.lost == []
    assert load.defaults == []
    # The serving version changes once: only queries that were on their way then may still get the old answer.
    outputs = [answer.body["output"] for answer in load.answers]
    assert set(outputs[outputs.index(2) + load.connections :]) == {2}


async def test_a_version_without_a_replica_does_not_take_over(cluster: Cluster) -> None:
    cluster.serve(constant("1"), slo_s=0.5)
    async with SteadyLoad(cluster.frontend.rest, make_body=same_query) as load:
        await load.more(50)
        await asyncio.to_thread(cluster.add_model, "model", "2")
        await load.more(200)
        await asyncio.to_thread(cluster.start_container, constant("2"), "model", "2")
        await load.until(lambda answer: answer.body["output"] == 2)
    assert load.lost == []
    assert load.defaults == []


async def test_rolling_back_and_asking_for_a_version(cluster: Cluster) -> None:
    cluster.serve(constant("1"))
    cluster.start_container(constant("2"), "model", "2")
    cluster.add_model("model", "2")
    address = cluster.frontend.rest
    eventually(lambda: predict(address, "app", input=[1.0])["output"] == 2, "version 2 serves")
    assert predict(address, "app", input=[1.0], version="1")["output"] == 1
    cluster.admin("set_model_version", model_name="model", model_version="1")
    eventually(lambda: predict(address, "app", input=[1.0])["output"] == 1, "version 1 serves again")


async def test_a_version_registered_again_never_answers_from_the_old_cache(cluster: Cluster) -> None:
    (old,) = cluster.serve(constant("1"))
    address = cluster.frontend.rest
    assert predict(address, "app", input=[7.0])["output"] == 1
    cluster.admin("delete_versioned_model", model_name="model", model_version="1")
    old.kill()
    eventually(lambda: predict(address, "app", input=[7.0])["default"], "the version is gone")
    cluster.start_container(constant("9"), "model", "1")
    cluster.add_model("model", "1")
    eventually(lambda: not predict(address, "app", input=[7.0])["default"], "the version is back")
    assert predict(address, "app", input=[7.0])["output"] == 9


async def test_a_frontend_that_never_gets_ready_is_waited_for_ten_seconds(cluster: Cluster) -> None:
    cluster.serve(constant("1"))
    with cluster.redis.client(4) as redis:
        redis.hset("QUERY_FRONTEND:other", "id", "other")  # It lives on, without a replica.
    cluster.start_container(constant("2"), "model", "2")
    address = cluster.frontend.rest
    with cluster.redis.client(6) as redis:
        eventually(lambda: redis.exists("FIRST_READY:model:2") == 1, "version 2 is ready at one frontend")
        cluster.add_model("model", "2")
        assert predict(address, "app", input=[1.0])["output"] == 1
        redis.incrby("FIRST_READY:model:2", -10_000)
    eventually(lambda: predict(address, "app", input=[1.0])["output"] == 2, "version 2 serves", timeout_s=5)
