"""The worth of a learnt batch size: scikit-learn's LinearSVC, 784 features and 10 classes."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np
from sklearn.svm import LinearSVC

from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.rounds import Comparison, Pair
from tests.benchmarks.useful import Useful, measure
from tests.benchmarks.wrk import Queries
from tests.support.frontends.cluster import Cluster
from tests.support.models import Model

FEATURES = 784
CLASSES = 10
CONNECTIONS = 64
SLO_S = 0.02
MAX_DEFAULTS_PERCENT = 1.0
#: Batches of one have no deadline to miss, so that refusals do not cut their throughput.
UNHURRIED_SLO_S = 5.0
IMAGES = Queries(features=FEATURES, decimals=4)


def train() -> Model:
    """Return a classifier of random images as a model function."""
    random = np.random.default_rng(0)
    images = random.random((1000, FEATURES))
    classifier = LinearSVC(max_iter=20, tol=0.1).fit(images, random.integers(0, CLASSES, 1000))

    def predict(inputs: Any) -> list[str]:
        return [str(label) for label in classifier.predict(inputs)]

    return predict


def measure_batching(plan: Plan) -> list[Figure]:
    """Compare learnt batches with batches of one, in turns."""
    probe = [0.5] * FEATURES
    with Cluster() as cluster:
        model = train()
        cluster.serve(model, app="learnt", model="svc-learnt", slo_s=SLO_S, probe=probe)
        cluster.serve(model, app="one", model="svc-one", slo_s=UNHURRIED_SLO_S, batch_size=1, probe=probe)
        for app in ("learnt", "one"):
            _run(cluster, app, plan.warm_up_s)
        rounds = [
            (_run(cluster, "learnt", plan.round_s), _run(cluster, "one", plan.round_s))
            for _ in range(plan.rounds)
        ]
    # Defaults with learnt batches are a figure of their own; they do not count as useful.
    comparison = Comparison(
        [Pair(a.wrk, b.wrk, a.per_s, b.per_s, a.wrk.errors == 0 and b.is_clean) for a, b in rounds]
    )
    learnt = [run for run, _ in rounds if run.wrk.undisturbed] or [run for run, _ in rounds]
    p99_ms = median(run.wrk.p99_ms for run in learnt)
    defaults = 100 * median(run.default_fraction for run in learnt)
    why = comparison.invalid_because
    # Refusals are quick: if most answers are refusals, their latency does not show the model's.
    p99_why = why or ("mostly refusals" if defaults > MAX_DEFAULTS_PERCENT else "")
    raw = [{"learnt": asdict(ours), "one": asdict(one)} for ours, one in rounds]
    return [
        Figure("learnt batch size, of batches of one", comparison.ratio, 4, invalid_because=why, raw=raw),
        Figure("learnt batch size, p99", p99_ms, SLO_S * 1e3, "ms", at_most=True, invalid_because=p99_why),
        Figure(
            "learnt batch size, defaults",
            defaults,
            MAX_DEFAULTS_PERCENT,
            "%",
            at_most=True,
            invalid_because=why,
        ),
    ]


def _run(cluster: Cluster, app: str, seconds: float) -> Useful:
    return measure(cluster.frontend, app, connections=CONNECTIONS, seconds=seconds, queries=IMAGES)
