"""One of two query frontends dies under a steady load, and a fresh one takes its place."""

from __future__ import annotations

import asyncio
import time

from tests.benchmarks.scrape import count_queries
from tests.support.frontends.cluster import Cluster
from tests.support.frontends.load import SteadyLoad
from tests.support.models import row_sums

FRESH_FRONTEND_S = 5.0


async def test_the_other_frontend_serves_on() -> None:
    connections = 16
    with Cluster(2, share_port=True) as cluster:
        cluster.serve(row_sums(), slo_s=1.0)
        async with SteadyLoad(cluster.frontend.rest, connections=connections) as load:
            # By then both serve: the kernel distributes the connections between the two.
            await load.more(400)
            settled_s = time.perf_counter()
            assert count_queries(cluster.frontends[1], "app") > 0
            cluster.frontends[1].kill()
            await load.more(1000)
        # Queries in flight at the dead frontend are lost, at most one on each of its connections.
        assert len(load.lost) <= connections
        assert [answer for answer in load.since(settled_s) if answer.is_default] == []


async def test_a_fresh_frontend_has_every_model_within_five_seconds() -> None:
    with Cluster(2) as cluster:
        cluster.serve(row_sums(), app="one", model="model-one")
        cluster.serve(row_sums(), app="two", model="model-two")
        cluster.frontends.pop().kill()
        fresh = cluster.start_frontend()
        started_s = time.perf_counter()
        for app in ("one", "two"):
            await asyncio.to_thread(cluster.wait_until_served, fresh, app)
        assert time.perf_counter() - started_s <= FRESH_FRONTEND_S
