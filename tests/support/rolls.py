"""Rolls of a local cluster's query frontends under a steady load."""

from __future__ import annotations

import asyncio
from pathlib import Path

from clipper_nomad.connection import ClipperConnection
from tests.support.frontends.load import SteadyLoad
from tests.support.local_clusters import LocalCluster, build_model
from tests.support.models import row_sums


def serve(cluster: LocalCluster, folder: Path, num_frontends: int = 1) -> ClipperConnection:
    """Return a cluster's connection, with an application that a model answers."""
    manager = cluster.make_manager()
    connection = ClipperConnection(manager)
    connection.start_clipper(num_frontend_replicas=num_frontends)
    connection.deploy_model("sums", 1, "doubles", build_model(manager, folder, row_sums()))
    connection.register_application("app", "doubles", "none", 5_000_000)
    connection.link_model_to_app("app", "sums")
    return connection


async def require_lossless_rolls(folder: Path, num_frontends: int, num_rolls: int) -> None:
    """Fail if a query is lost or gets a default while frontends are rolled."""
    with LocalCluster(folder / "state") as cluster:
        connection = serve(cluster, folder / "model", num_frontends)
        async with SteadyLoad(connection.get_query_addr(), connections=8) as load:
            await load.more(200)
            for number in range(num_rolls):
                before = cluster.pid("query-frontend-0")
                await asyncio.to_thread(connection.start_clipper, cache_size=1_000_000 + number)
                assert cluster.pid("query-frontend-0") != before
                await load.more(200)
        assert load.lost == []
        assert load.defaults == []
        assert "query-frontend-stand-in" not in cluster.processes()
