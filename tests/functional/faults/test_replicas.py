"""Replicas die or hang under a steady load; every query is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.support.frontends.cluster import Cluster
from tests.support.frontends.load import SteadyLoad
from tests.support.models import hanging_sums, sleeping_sums
from tests.support.processes import eventually

NOISE_S = 0.05
#: How long a busy machine may stall all of a test's processes, a few times.
STALL_S = 0.5
STALLED_FRACTION = 0.1
#: Long for a busy machine, and short against a container's silence.
SOON_S = 10.0
#: Always busy under the tests' load, so that a kill catches a batch in flight.
BUSY = sleeping_sums(per_batch_s=0.02)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


def assert_in_time(load: SteadyLoad, slo_s: float) -> None:
    """Check that queries are answered within the SLO, except for stalls of the machine."""
    latencies_s = [answer.latency_s for answer in load.answers]
    late_s = [each for each in latencies_s if each > slo_s + NOISE_S]
    assert len(late_s) <= STALLED_FRACTION * len(latencies_s), late_s
    assert max(latencies_s) <= slo_s + STALL_S


async def test_a_killed_replica_costs_no_query(cluster: Cluster) -> None:
    first, _ = cluster.serve(BUSY, replicas=2, batch_size=1, slo_s=1.0)
    async with SteadyLoad(cluster.frontend.rest, connections=6, pause_s=0) as load:
        await load.more(100)
        first.kill()
        await load.more(100)
    assert load.lost == []
    assert load.defaults == []


def test_a_replica_that_waits_for_work_is_missed_as_soon_as_it_is_gone(cluster: Cluster) -> None:
    """Nothing is sent to it, and its silence would be noticed after half a minute."""
    (replica,) = cluster.serve(BUSY)
    replica.kill()
    eventually(lambda: not cluster.holds(cluster.frontend, replica), "the replica is gone", SOON_S)


async def test_service_resumes_by_itself_after_all_replicas_died(cluster: Cluster) -> None:
    replicas = cluster.serve(BUSY, replicas=2, slo_s=0.5)
    async with SteadyLoad(cluster.frontend.rest) as load:
        await load.more(50)
        for replica in replicas:
            replica.kill()
        default = await load.until(lambda answer: answer.body.get("default_reason") == "no_replica")
        assert default.body["default_explanation"] == "No connected models found for query"
        assert default.body["output"] == -1.0
        await asyncio.to_thread(cluster.start_container, BUSY, "model")
        await load.until(lambda answer: not answer.is_default)
        resumed_s = time.perf_counter()
        await load.more(100)
    assert load.lost == []
    assert [answer for answer in load.since(resumed_s) if answer.is_default] == []


async def test_a_model_that_sleeps_for_ever_is_answered_at_the_slo(cluster: Cluster) -> None:
    slo_s = 0.2
    cluster.add_app("app", slo_s=slo_s)
    cluster.start_container(hanging_sums(), "model", environment={"HANGS": "1"})
    cluster.add_model("model")
    cluster.link("app", "model")
    async with SteadyLoad(cluster.frontend.rest) as load:
        timeout = await load.until(lambda answer: answer.body.get("default_reason") == "timeout")
        await load.more(40)
    assert load.lost == []
    assert timeout.latency_s >= slo_s - 0.001
    assert_in_time(load, slo_s)


async def test_a_hanging_replica_leaves_the_rotation(cluster: Cluster) -> None:
    slo_s = 0.3
    cluster.serve(hanging_sums(), slo_s=slo_s)
    async with SteadyLoad(cluster.frontend.rest) as load:
        await load.more(20)
        await asyncio.to_thread(cluster.start_container, hanging_sums(), "model", environment={"HANGS": "1"})
        await load.until(lambda answer: answer.is_default)
        await load.more(1000)
        settled_s = time.perf_counter()
        await load.more(500)
    assert load.lost == []
    assert_in_time(load, slo_s)
    assert [answer for answer in load.since(settled_s) if answer.is_default] == []


async def test_on_default_error_says_why(cluster: Cluster) -> None:
    (replica,) = cluster.serve(BUSY, slo_s=0.5, on_default="error")
    async with SteadyLoad(cluster.frontend.rest) as load:
        await load.more(50)
        replica.kill()
        refused = await load.until(lambda answer: answer.status == 503)
    assert load.lost == []
    assert refused.body["default_reason"] in {"no_replica", "timeout"}


async def test_on_default_wait_answers_late(cluster: Cluster) -> None:
    cluster.serve(BUSY, slo_s=0.005, on_default="wait")
    async with SteadyLoad(cluster.frontend.rest) as load:
        await load.more(100)
    assert load.lost == []
    assert load.defaults == []
    assert all(answer.body["late"] is True for answer in load.answers)
