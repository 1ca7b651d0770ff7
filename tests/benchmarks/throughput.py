"""Requests per second beside the limit of Python: cache misses over either RPC version, and cache hits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.rounds import Comparison, Pair
from tests.benchmarks.useful import Useful, measure
from tests.benchmarks.wrk import RANDOM, SAME, Queries, WrkResult, load
from tests.support.frontends.cluster import Cluster
from tests.support.models import row_sums
from tests.support.processes import Process

SLO_S = 5.0
MANY_CONNECTIONS = 64
BARE = "bare server"
MISS_V4 = "cache miss, RPC 4"
MISS_V3 = "cache miss, RPC 3"
HIT = "cache hit"

_LETTER_SUMS = """
def predict(inputs):
    return list(map(str, inputs.sum(axis=1).tolist()))
"""
_CASES: dict[str, tuple[str, Queries]] = {MISS_V4: ("v4", RANDOM), MISS_V3: ("v3", RANDOM), HIT: ("v4", SAME)}
#: The targets, as shares of the bare server's requests per second, by connections.
TARGETS = {
    (MISS_V4, MANY_CONNECTIONS): 0.40,
    (MISS_V3, MANY_CONNECTIONS): 0.30,
    (HIT, MANY_CONNECTIONS): 0.65,
    (MISS_V4, 1): 0.22,
}


@dataclass(frozen=True)
class Run:
    """One run of one case, and whether every answer was a model's."""

    case: str
    connections: int
    round: int
    per_s: float
    p50_ms: float
    p99_ms: float
    clean: bool
    wrk: WrkResult


def measure_runs(plan: Plan) -> list[Run]:
    """Measure all cases in turns, at many connections and at one."""
    bare_script = Path(__file__).with_name("bare.py")
    with Process("bare server", [sys.executable, bare_script]) as bare, Cluster() as cluster:
        bare_address = bare.wait_for_line(r"listening: rest=(\S+)")[1]
        cluster.serve(row_sums(), app="v4", model="sum-v4", slo_s=SLO_S)
        _serve_version_3(cluster)
        _warm_up(cluster, plan)
        return [
            run
            for connections in (MANY_CONNECTIONS, 1)
            for number in range(plan.rounds)
            for run in _round(cluster, bare_address, connections, number, plan.round_s)
        ]


def throughput_figures(runs: Sequence[Run]) -> list[Figure]:
    """Return each case beside its target."""
    return [_figure(runs, case, connections, target) for (case, connections), target in TARGETS.items()]


def _serve_version_3(cluster: Cluster) -> None:
    cluster.add_app("v3", slo_s=SLO_S)
    cluster.start_letter_container(_LETTER_SUMS, "sum-v3")
    cluster.add_model("sum-v3")
    cluster.link("v3", "sum-v3")
    cluster.wait_until_served(cluster.frontend, "v3")


def _warm_up(cluster: Cluster, plan: Plan) -> None:
    for app in ("v4", "v3"):
        measure(cluster.frontend, app, connections=MANY_CONNECTIONS, seconds=plan.warm_up_s)


def _round(cluster: Cluster, bare: str, connections: int, number: int, seconds: float) -> list[Run]:
    result = load(bare, "any", connections=connections, seconds=seconds)
    runs = [_run(BARE, connections, number, Useful(result, defaults=0))]
    for case, (app, queries) in _CASES.items():
        useful = measure(cluster.frontend, app, connections=connections, seconds=seconds, queries=queries)
        runs.append(_run(case, connections, number, useful))
    return runs


def _run(case: str, connections: int, number: int, useful: Useful) -> Run:
    wrk = useful.wrk
    return Run(case, connections, number, useful.per_s, wrk.p50_ms, wrk.p99_ms, useful.is_clean, wrk)


def _figure(runs: Sequence[Run], case: str, connections: int, target: float) -> Figure:
    """Compare a case with the bare server, round by round.

    Each case does more than the bare server: one that beats it shows a fault of the measurement.
    """
    here = [run for run in runs if run.connections == connections]
    bare = {run.round: run for run in here if run.case == BARE}
    comparison = Comparison(
        [
            Pair(run.wrk, other.wrk, run.per_s, other.per_s, run.clean and other.clean)
            for run, other in ((run, bare[run.round]) for run in here if run.case == case)
        ]
    )
    beats_bare = "faster than the bare server" if comparison.ratio > 1 else ""
    return Figure(
        f"{case}, {connections} connection{'s' if connections > 1 else ''}, of the bare server",
        comparison.ratio,
        target,
        invalid_because=comparison.invalid_because or beats_bare,
        raw=[asdict(run) for run in here if run.case in (case, BARE)],
    )
