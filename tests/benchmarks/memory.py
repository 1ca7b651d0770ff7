"""The memory of a query frontend after many distinct queries, its prediction cache full."""

from __future__ import annotations

from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.scrape import count_queries
from tests.benchmarks.useful import measure
from tests.benchmarks.wrk import Queries
from tests.support.frontends.cluster import Cluster
from tests.support.models import row_sums

CONNECTIONS = 64
SLO_S = 5.0
_MEGABYTE = 1e6
_STEP_S = 2
_PIPELINED = Queries(per_write=4)


def measure_memory(plan: Plan) -> list[Figure]:
    """Read the frontend's resident memory after each of two counts of distinct queries."""
    with Cluster() as cluster:
        cluster.serve(row_sums(), slo_s=SLO_S)
        first = _rss_after(cluster, plan.first_queries)
        last = _rss_after(cluster, plan.last_queries)
    raw = {"first_bytes": first, "last_bytes": last, "first": plan.first_queries, "last": plan.last_queries}
    name = f"memory after {plan.last_queries:,} distinct queries"
    grown = f"memory grows from {plan.first_queries:,} to {plan.last_queries:,}"
    return [
        Figure(name, last / _MEGABYTE, 120, "MB", at_most=True, raw=raw),
        Figure(grown, (last - first) / _MEGABYTE, 5, "MB", at_most=True, raw=raw),
    ]


def _rss_after(cluster: Cluster, count: int) -> int:
    while count_queries(cluster.frontend, "app") < count:
        run = measure(cluster.frontend, "app", connections=CONNECTIONS, seconds=_STEP_S, queries=_PIPELINED)
        if not run.is_clean:
            raise RuntimeError(f"a memory measurement with lost or default answers means nothing: {run}")
    return cluster.frontend.rss_bytes
