"""Admin calls are answered when every query frontend has applied them."""

from __future__ import annotations

import concurrent.futures
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.compatibility.letter_management_client import LetterManagementClient
from tests.support.frontends.cluster import Cluster, RefusedError, predict
from tests.support.frontends.redis_server import RedisServer
from tests.support.models import constant
from tests.support.processes import ManagementFrontend, eventually

REPEATED = 100
#: A wait for a frontend that lags takes a second.
AT_ONCE_S = 0.9


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(2) as running:
        wait_until_followed(running)
        yield running


def wait_until_followed(cluster: Cluster) -> None:
    """Return once all query frontends receive changes, and the management frontend their acknowledgements."""

    def followed() -> bool:
        with cluster.redis.client(4) as client:
            subscribed = dict(client.pubsub_numsub("clipper:sync", "clipper:applied"))
            num_live = len(client.keys("QUERY_FRONTEND:*"))
        wanted = len(cluster.frontends)
        return num_live == wanted and subscribed == {"clipper:sync": wanted, "clipper:applied": 1}

    eventually(followed, "all query frontends live and follow Redis")


def reasons(cluster: Cluster, app: str) -> list[Any]:
    """Return why each query frontend gives a default for this application: the status if it is unknown."""
    return [_reason(frontend.rest, app) for frontend in cluster.frontends]


def _reason(address: str, app: str) -> Any:
    try:
        return predict(address, app, input=[1.0])["default_reason"]
    except RefusedError as refused:
        return refused.status


def outputs(cluster: Cluster) -> list[Any]:
    """Return the answers of all query frontends now."""
    return [predict(frontend.rest, "app", input=[1.0])["output"] for frontend in cluster.frontends]


def make_and_delete_everything(cluster: Cluster, number: int) -> None:
    """Make each kind of change, and see each at once at every query frontend."""
    cluster.add_app("app")
    assert reasons(cluster, "app") == ["no_model"] * 2, number
    cluster.add_model("model", str(number))
    cluster.link("app", "model")
    assert reasons(cluster, "app") == ["no_replica"] * 2, number
    cluster.admin("delete_versioned_model", model_name="model", model_version=str(number))
    assert reasons(cluster, "app") == ["no_model"] * 2, number
    cluster.add_model("model", str(number))
    assert reasons(cluster, "app") == ["no_replica"] * 2, number
    cluster.admin("delete_model_links", app_name="app", model_names=["model"])
    assert reasons(cluster, "app") == ["no_model"] * 2, number
    cluster.admin("delete_app", name="app")
    assert reasons(cluster, "app") == [404] * 2, number


def test_each_change_is_applied_everywhere_when_it_is_answered(cluster: Cluster) -> None:
    for number in range(REPEATED):
        make_and_delete_everything(cluster, number)
    assert "not applied it yet" not in cluster.management.log


def test_queries_are_answered_by_the_version_that_was_just_set(cluster: Cluster) -> None:
    def ready() -> bool:
        wanted = {"model_name": "model", "model_version": "2", "rpc_version": 4}
        records = cluster.admin("get_all_query_frontends", verbose=True)
        return all(wanted in record["ready"] for record in records)

    cluster.serve(constant("1"))
    cluster.start_container(constant("2"), "model", "2")
    eventually(ready, "version 2 to be ready at all query frontends")
    cluster.add_model("model", "2")
    assert outputs(cluster) == [2, 2]
    for _ in range(REPEATED):
        cluster.admin("set_model_version", model_name="model", model_version="1")
        assert outputs(cluster) == [1, 1]
        cluster.admin("set_model_version", model_name="model", model_version="2")
        assert outputs(cluster) == [2, 2]


def test_the_answer_waits_for_the_last_query_frontend(cluster: Cluster) -> None:
    slow = cluster.frontends[1]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow.signal(signal.SIGSTOP)
        call = pool.submit(cluster.add_app, "app")
        assert not concurrent.futures.wait([call], timeout=0.3).done
        slow.signal(signal.SIGCONT)
        call.result()
    assert reasons(cluster, "app") == ["no_model"] * 2


def test_a_frozen_query_frontend_delays_an_answer_by_a_second_at_most(cluster: Cluster) -> None:
    frozen = cluster.frontends[1]
    frozen.signal(signal.SIGSTOP)
    started_s = time.monotonic()
    cluster.add_app("app")
    assert 0.9 < time.monotonic() - started_s < 3.0
    assert _reason(cluster.frontend.rest, "app") == "no_model"
    cluster.management.wait_for_line(rf"WARNING .*add_app .*not applied it yet: .*{frozen.id}$")
    frozen.signal(signal.SIGCONT)
    cluster.wait_until_known(frozen, "app")
    cluster.admin("delete_app", name="app")
    assert reasons(cluster, "app") == [404] * 2


def test_a_query_frontend_that_has_ended_is_waited_for_no_more(cluster: Cluster) -> None:
    assert cluster.frontends.pop().stop() == 0
    started_s = time.monotonic()
    cluster.add_app("app")
    assert time.monotonic() - started_s < AT_ONCE_S
    assert "not applied it yet" not in cluster.management.log


def test_after_redis_was_restarted_it_is_as_before(cluster: Cluster) -> None:
    make_and_delete_everything(cluster, 0)
    cluster.redis.restart()
    wait_until_followed(cluster)
    for number in range(1, 10):
        make_and_delete_everything(cluster, number)


def test_a_record_without_a_query_frontend_delays_nothing(
    management: ManagementFrontend, redis_server: RedisServer
) -> None:
    client = LetterManagementClient(management.rest)
    with redis_server.client(4) as redis:
        redis.hset("QUERY_FRONTEND:ghost", "id", "ghost")
    started_s = time.monotonic()
    assert client.add_app("a").status == 200
    assert time.monotonic() - started_s < AT_ONCE_S
    management.wait_for_line(r"WARNING .*add_app .*not applied it yet: .*ghost$")
