"""Redis goes away for 20 s under a steady load and comes back."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.frontends.cluster import Cluster, RefusedError
from tests.support.frontends.load import SteadyLoad
from tests.support.models import row_sums

AWAY_S = 20.0


async def test_queries_are_served_while_redis_is_away_and_later_changes_are_followed() -> None:
    with Cluster() as cluster:
        cluster.serve(row_sums(), slo_s=1.0)
        async with SteadyLoad(cluster.frontend.rest) as load:
            await load.more(50)
            cluster.redis.stop()
            stopped_s = time.perf_counter()
            with pytest.raises(RefusedError) as refused:
                await asyncio.to_thread(cluster.add_app, "later")
            assert refused.value.status == 503
            await asyncio.sleep(AWAY_S)  # The absence itself is what is tested.
            assert len(load.since(stopped_s)) > 1000
            cluster.redis.start()
            await load.more(50)
            await asyncio.to_thread(_change_everything, cluster)
            await load.more(50)
        assert load.lost == []
        assert load.defaults == []


def _change_everything(cluster: Cluster) -> None:
    """Add an application with a model, and expect the frontend to follow."""
    cluster.serve(row_sums(), app="later", model="later-model")
