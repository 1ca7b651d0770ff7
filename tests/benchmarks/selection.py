"""The cost of selection: two models and an ensemble of four, beside one model of two replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.rounds import Comparison, Pair
from tests.benchmarks.scrape import count_missing
from tests.benchmarks.useful import Useful, measure
from tests.support.frontends.cluster import Cluster
from tests.support.frontends.feedback_cluster import add_app
from tests.support.models import biased_sums

SLO_S = 5.0
CONNECTIONS = 64
ONE_MODEL = "default"
_TWO, _FOUR = ("one", "two"), ("one", "two", "three", "four")


@dataclass(frozen=True)
class Case:
    """A policy over some of the models, and its target, as a share of the one model's throughput."""

    policy: Mapping[str, Any]
    models: Sequence[str]
    target: float


CASES = {
    "split": Case({"name": "split"}, _TWO, 0.85),
    "exp3": Case({"name": "exp3"}, _TWO, 0.85),
    "mean": Case({"name": "mean"}, _FOUR, 0.25),
}


@dataclass(frozen=True)
class Run:
    """One run of one application, and how many outputs of models were missing in its answers."""

    useful: Useful
    missing: float

    @property
    def is_clean(self) -> bool:
        """Return whether every query was answered, by all models that it asked."""
        return self.useful.is_clean and self.missing == 0


def measure_selection(plan: Plan) -> list[Figure]:
    """Measure all cases in turns, each round beside the one model."""
    with Cluster() as cluster:
        _serve(cluster)
        for app in (ONE_MODEL, *CASES):
            _run(cluster, app, plan.warm_up_s)
        rounds = [
            {app: _run(cluster, app, plan.round_s) for app in (ONE_MODEL, *CASES)} for _ in range(plan.rounds)
        ]
    return [_figure(app, case, rounds) for app, case in CASES.items()]


def _serve(cluster: Cluster) -> None:
    cluster.serve(biased_sums(0), app=ONE_MODEL, model="pair", slo_s=SLO_S, replicas=2)
    # Their answers differ: an ensemble that agrees is combined sooner.
    for bias, name in enumerate(_FOUR):
        cluster.start_container(biased_sums(bias), name)
        cluster.add_model(name)
    for app, case in CASES.items():
        add_app(cluster, app, case.policy, case.models, slo_s=SLO_S)


def _run(cluster: Cluster, app: str, seconds: float) -> Run:
    before = count_missing(cluster.frontend, app)
    useful = measure(cluster.frontend, app, connections=CONNECTIONS, seconds=seconds)
    return Run(useful, count_missing(cluster.frontend, app) - before)


def _figure(app: str, case: Case, rounds: Sequence[Mapping[str, Run]]) -> Figure:
    comparison = Comparison(
        [
            Pair(a.useful.wrk, b.useful.wrk, a.useful.per_s, b.useful.per_s, a.is_clean and b.is_clean)
            for a, b in ((runs[app], runs[ONE_MODEL]) for runs in rounds)
        ]
    )
    return Figure(
        f"{app} over {len(case.models)} models, of one model with two replicas",
        comparison.ratio,
        case.target,
        invalid_because=comparison.invalid_because,
        raw=[{name: asdict(runs[name]) for name in (app, ONE_MODEL)} for runs in rounds],
    )
