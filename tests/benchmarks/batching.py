"""What a learnt batch size is worth: scikit-learn's LinearSVC, 784 features and 10 classes."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np
from sklearn.svm import LinearSVC

from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.useful import Useful, measure
from tests.benchmarks.wrk import Queries
from tests.cluster import Cluster
from tests.models import Model

FEATURES = 784
CLASSES = 10
CONNECTIONS = 64
SLO_S = 0.02
#: Batches of one are given all the time they want, so that their throughput is not cut by refusals.
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
    learnt = [pair[0] for pair in rounds]
    raw = [{"learnt": asdict(ours), "one": asdict(one)} for ours, one in rounds]
    return [
        Figure(
            "learnt batch size, of batches of one", median(a.per_s / b.per_s for a, b in rounds), 4, raw=raw
        ),
        Figure(
            "learnt batch size, p99",
            median(run.wrk.p99_ms for run in learnt),
            SLO_S * 1e3,
            "ms",
            at_most=True,
        ),
        Figure(
            "learnt batch size, defaults",
            100 * median(run.default_fraction for run in learnt),
            1,
            "%",
            at_most=True,
        ),
    ]


def _run(cluster: Cluster, app: str, seconds: float) -> Useful:
    return measure(cluster.frontend, app, connections=CONNECTIONS, seconds=seconds, queries=IMAGES)
