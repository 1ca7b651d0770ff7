"""More replicas, and more registered applications and models."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import redis

from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.rounds import Comparison, Pair
from tests.benchmarks.useful import Useful, measure
from tests.support.frontends.cluster import Cluster
from tests.support.models import row_sums, sleeping_sums

REPLICAS = 8
CONNECTIONS = 64
SLO_S = 10.0
_APPLICATIONS_DB = 5
#: Other processes disturb sleeping little, but at a hundred answers per second a run must be long.
_SLEEPER_ROUNDS = 3
_SLEEPER_ROUND_S = 5


def measure_replicas(_: Plan) -> list[Figure]:
    """Compare eight replicas of a model that sleeps 10 ms for each query with one."""
    sleeper = sleeping_sums(per_batch_s=0.01)
    with Cluster() as cluster:
        cluster.serve(sleeper, app="one", model="sleep-one", batch_size=1, slo_s=SLO_S)
        cluster.serve(sleeper, app="many", model="sleep-many", batch_size=1, slo_s=SLO_S, replicas=REPLICAS)
        rounds = [
            {
                app: measure(cluster.frontend, app, connections=CONNECTIONS, seconds=_SLEEPER_ROUND_S)
                for app in ("one", "many")
            }
            for _ in range(_SLEEPER_ROUNDS)
        ]
    comparison = _compare(rounds, "many", "one")
    raw = [{app: asdict(run) for app, run in runs.items()} for runs in rounds]
    return [
        Figure(
            f"{REPLICAS} replicas, of one replica",
            comparison.ratio,
            7.5,
            invalid_because=comparison.invalid_because,
            raw=raw,
        )
    ]


def measure_registrations(plan: Plan) -> list[Figure]:
    """Compare one application that is alone with one among many, in turns; then time a resync of the many."""
    with Cluster() as alone, Cluster() as crowded:
        for cluster in (alone, crowded):
            cluster.serve(row_sums(), slo_s=SLO_S)
        _register_others(crowded, plan.other_applications)
        rounds = [
            {
                name: measure(cluster.frontend, "app", connections=CONNECTIONS, seconds=plan.round_s)
                for name, cluster in (("alone", alone), ("crowded", crowded))
            }
            for _ in range(plan.rounds)
        ]
        resync_s = _time_resync(crowded)
    comparison = _compare(rounds, "crowded", "alone")
    raw = [{name: asdict(run) for name, run in runs.items()} for runs in rounds]
    count = plan.other_applications
    return [
        Figure(
            f"one among {count} applications and models, of alone",
            comparison.ratio,
            0.95,
            invalid_because=comparison.invalid_because,
            raw=raw,
        ),
        Figure(f"resync of {count} applications and models", resync_s, 1, "s", at_most=True),
    ]


def _compare(rounds: Sequence[Mapping[str, Useful]], ours: str, other: str) -> Comparison:
    return Comparison(
        [
            Pair(a.wrk, b.wrk, a.per_s, b.per_s, a.is_clean and b.is_clean)
            for a, b in ((runs[ours], runs[other]) for runs in rounds)
        ]
    )


def _register_others(cluster: Cluster, count: int) -> None:
    for number in range(count):
        cluster.add_app(f"other-{number}")
        cluster.add_model(f"other-{number}")
    cluster.wait_until_known(cluster.frontend, f"other-{count - 1}")


def _time_resync(cluster: Cluster) -> float:
    """Return the time from a lost connection until the frontend has an application that only a resync brings.

    It is written in the transaction that cuts all links, so no event reaches anyone.
    """
    with redis.Redis.from_url(f"redis://{cluster.redis.address}", db=_APPLICATIONS_DB) as store:
        fields = store.hgetall("app")
        with store.pipeline(transaction=True) as writes:
            writes.client_kill_filter(_type="pubsub")
            writes.client_kill_filter(_type="normal")
            writes.hset("unheard-of", mapping=fields)
            writes.execute()
    started_s = time.perf_counter()
    cluster.wait_until_known(cluster.frontend, "unheard-of")
    return time.perf_counter() - started_s
