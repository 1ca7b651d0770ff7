"""Redis comes back empty under live frontends: they serve on and say so, and one of them puts it back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.frontends.cluster import Cluster, RefusedError, predict, request
from tests.support.frontends.feedback_cluster import (
    ACCEPTED,
    ENSEMBLE,
    RIGHT,
    add_app,
    query,
    serve_two,
    update,
)
from tests.support.frontends.load import SteadyLoad
from tests.support.models import row_sums
from tests.support.processes import QueryFrontend, eventually

_DATABASES = (5, 6, 7, 2)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(2) as started:
        started.serve(row_sums())
        yield started


def empty(cluster: Cluster) -> None:
    with cluster.redis.client() as client:
        client.flushall()


def ready(frontend: QueryFrontend) -> tuple[int, str]:
    status, text = request(frontend.rest, "GET", "/health/ready")
    return status, text.decode()


def wait_until_noticed(cluster: Cluster) -> None:
    for frontend in cluster.frontends:
        eventually(
            lambda frontend=frontend: "has lost the registry" in ready(frontend)[1],  # type: ignore[misc]
            "the frontend notices",
        )


def registry(cluster: Cluster) -> dict[int, dict[str, Any]]:
    """Return what lasts in Redis, by database and key."""
    found: dict[int, dict[str, Any]] = {}
    for database in _DATABASES:
        with cluster.redis.client(database) as client:
            readers = {"string": client.get, "set": client.smembers, "hash": client.hgetall}
            found[database] = {
                key: readers[client.type(key)](key)
                for key in client.scan_iter()
                if not key.startswith(("FIRST_READY", "RESTORE_REGISTRY", "REGISTRY_EPOCHS"))
            }
    return found


def numbers(frontend: QueryFrontend) -> set[int]:
    return {int(predict(frontend.rest, "app", input=[1.0])["query_id"]) >> 32}


async def test_an_emptied_registry_is_not_taken_over_and_can_be_put_back(cluster: Cluster) -> None:
    before = registry(cluster)
    async with SteadyLoad(cluster.frontend.rest) as load:
        await load.more(50)
        await asyncio.to_thread(empty, cluster)
        await asyncio.to_thread(wait_until_noticed, cluster)
        for frontend in cluster.frontends:
            assert ready(frontend)[0] == 200
            metrics = request(frontend.rest, "GET", "/metrics")[1].decode()
            assert "clipper_registry_replaced 1.0" in metrics
        with pytest.raises(RefusedError, match="clipper-nomad registry restore") as refused:
            await asyncio.to_thread(cluster.add_app, "later")
        assert refused.value.status == 503
        assert cluster.admin("get_registry")["is_followed"] is False
        answer = await asyncio.to_thread(cluster.admin, "restore_registry")
        assert "has put the registry back" in answer
        assert registry(cluster) == before
        await load.more(50)
    assert load.lost == []
    assert load.defaults == []
    for frontend in cluster.frontends:
        eventually(lambda frontend=frontend: ready(frontend) == (200, "ok"), "it is followed again")  # type: ignore[misc]
    cluster.serve(row_sums(), app="later", model="later-model")
    followed = {"is_followed": True, "followers_of_lost": []}
    eventually(lambda: cluster.admin("get_registry") == followed, "all follow it again")


def test_a_redis_without_its_volume_is_no_reason_to_forget(cluster: Cluster) -> None:
    cluster.redis.kill()
    for file in (cluster.directory / "redis").rglob("*"):
        if file.is_file():
            file.unlink()
    cluster.redis.start()
    wait_until_noticed(cluster)
    for frontend in cluster.frontends:
        assert predict(frontend.rest, "app", input=[1.0, 2.0])["output"] == 3.0


def test_a_frontend_that_joins_the_new_registry_gets_no_number_of_a_live_one_and_follows_what_is_put_back(
    cluster: Cluster,
) -> None:
    old = {number for frontend in cluster.frontends for number in numbers(frontend)}
    with cluster.redis.client(4) as client:
        counter = int(client.get("QUERY_FRONTEND_NUMBER"))
    empty(cluster)
    wait_until_noticed(cluster)
    eventually(lambda: len(cluster.admin("get_registry")["followers_of_lost"]) == 2, "numbers are claimed")
    with cluster.redis.client(4) as client:
        # As if the new registry had begun at the same number.
        client.set("QUERY_FRONTEND_NUMBER", counter - 4)
    joined = cluster.start_frontend()
    cluster.admin("restore_registry")
    eventually(lambda: request(joined.rest, "POST", "/app/predict", b"{}")[0] == 400, "it follows, too")
    assert not numbers(joined) & old


def test_nothing_is_put_back_where_nothing_was_lost(cluster: Cluster) -> None:
    with pytest.raises(RefusedError, match="there is nothing to put back"):
        cluster.admin("restore_registry")


def test_feedback_for_what_was_answered_before_the_loss_counts_after_the_restoring() -> None:
    with Cluster(1) as learning:
        serve_two(learning)
        add_app(learning, "vote", ENSEMBLE)
        query_id = query(learning.frontend, "vote")
        empty(learning)
        wait_until_noticed(learning)
        assert update(learning.frontend, "vote", query_id=query_id, label=RIGHT)[0] == 503
        learning.admin("restore_registry")

        def counted() -> bool:
            return update(learning.frontend, "vote", query_id=query_id, label=RIGHT) == (200, ACCEPTED)

        eventually(counted, "the feedback counts")
        assert json.dumps(learning.admin("get_policy_state", app_name="vote")["feedback"]) == "1.0"
