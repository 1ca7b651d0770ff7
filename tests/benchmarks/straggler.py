"""Clipper's figure of stragglers, redone: an ensemble that answers at the SLO without one, or waits for it.

Four models classify inputs, each with errors of its own; one of them pauses. The expected answers are
computed here from the same models.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

import numpy as np

from tests.benchmarks.arrivals import OpenLoop
from tests.benchmarks.figures import Figure
from tests.benchmarks.machine import MAX_OTHERS_CORES, OthersWatch
from tests.benchmarks.plan import Plan
from tests.benchmarks.rounds import MIN_ROUNDS
from tests.support.frontends.cluster import Cluster
from tests.support.frontends.feedback_cluster import add_app
from tests.support.models import Model

SLO_S = 0.05
NOISE_S = 0.01
#: The straggler answers nothing for so long in each second.
PAUSE_S = 0.3
CLASSES = 10
ERROR_SHARE = 0.2
_QUERIES_PER_S = 100
_ROUNDS = 3
_AT_SLO, _WAITING = "at-slo", "waiting"
_STRAGGLER = "straggler"
#: The models in the order in which a vote counts them.
_NAMES = ("a", "b", "c", _STRAGGLER)


def classifier(name: str, *, pause_s: float = 0.0) -> Model:
    """Return a model that classifies an input whose first number is in [0, 1), mostly rightly.

    Which inputs it errs on depends on `name`. It answers nothing in the first `pause_s` of each second.
    """
    classes, error_share = CLASSES, ERROR_SHARE

    def predict(inputs: Any) -> list[str]:
        import random
        import time

        time.sleep(max(0.0, pause_s - time.time() % 1))
        labels = []
        for number in inputs[:, 0].tolist():
            drawn = random.Random(f"{name} {number!r}")
            wrong_by = drawn.randrange(1, classes) if drawn.random() < error_share else 0
            labels.append(str((int(number * classes) + wrong_by) % classes))
        return labels

    return predict


@dataclass(frozen=True)
class Round:
    """The outcome of one load: shares of all queries that were sent."""

    queries: int
    p99_ms: float
    missing_share: float
    as_full_share: float
    right_share: float
    full_right_share: float
    unanswered: int
    others_cores: float

    @property
    def undisturbed(self) -> bool:
        """Return whether other processes left the machine to this load."""
        return self.others_cores <= MAX_OTHERS_CORES


def measure_straggler(plan: Plan) -> list[Figure]:
    """Load an ensemble that answers at the SLO, and one that waits for all, in turns."""
    with Cluster() as cluster:
        for name in _NAMES:
            model = classifier(name, pause_s=PAUSE_S if name == _STRAGGLER else 0.0)
            cluster.start_container(model, name)
            cluster.add_model(name)
        for app, on_default in ((_AT_SLO, "default"), (_WAITING, "wait")):
            add_app(cluster, app, {"name": "majority_vote"}, _NAMES, slo_s=SLO_S, on_default=on_default)
            _load(cluster, app, plan.warm_up_s)
        rounds = [
            {app: _load(cluster, app, plan.overload_s) for app in (_AT_SLO, _WAITING)} for _ in range(_ROUNDS)
        ]
    return [
        *_figures_at_slo([one[_AT_SLO] for one in rounds]),
        _figure_of_waiting([one[_WAITING] for one in rounds]),
    ]


def _load(cluster: Cluster, app: str, seconds: float) -> Round:
    watch = OthersWatch()
    loop = OpenLoop(cluster.frontend.rest, app)
    asyncio.run(loop.run(seconds, _QUERIES_PER_S))
    others_cores = watch.cores()
    outputs = [str(answer.body["output"]) for answer in loop.answers]
    full = full_ensemble(loop.numbers)
    right = [str(int(number * CLASSES)) for number in loop.numbers]
    sent = len(outputs) + loop.unanswered
    return Round(
        queries=sent,
        p99_ms=quantiles([answer.latency_s * 1e3 for answer in loop.answers], n=100)[-1],
        missing_share=sum(bool(answer.body["missing"]) for answer in loop.answers) / sent,
        as_full_share=_same(outputs, full) / sent,
        right_share=_same(outputs, right) / sent,
        full_right_share=_same(full, right) / len(full),
        unanswered=loop.unanswered,
        others_cores=others_cores,
    )


def full_ensemble(numbers: Sequence[float]) -> list[str]:
    """Return the vote of all four models: the label of most, and of the first among equals."""
    inputs = np.array([numbers]).T
    said = [classifier(name)(inputs) for name in _NAMES]
    return [Counter(labels).most_common(1)[0][0] for labels in zip(*said, strict=True)]


def _same(outputs: Sequence[str], others: Sequence[str]) -> int:
    return sum(output == other for output, other in zip(outputs, others, strict=True))


def _figures_at_slo(rounds: Sequence[Round]) -> list[Figure]:
    why, counted = _counted(rounds)
    if not why and not all(one.missing_share for one in counted):
        why = "the straggler was never missing"
    raw = [asdict(one) for one in rounds]
    limit_ms = (SLO_S + NOISE_S) * 1e3
    p99_ms = median(one.p99_ms for one in counted)
    as_full = 100 * median(one.as_full_share for one in counted)
    accuracy = 100 * median(one.right_share / one.full_right_share for one in counted)
    name = "ensemble of four with a straggler"
    return [
        Figure(f"{name}, p99", p99_ms, limit_ms, "ms", at_most=True, invalid_because=why, raw=raw),
        Figure(f"{name}, answers as of all four", as_full, 95, "%", invalid_because=why, raw=raw),
        Figure(f"{name}, accuracy, of all four", accuracy, 97, "%", invalid_because=why, raw=raw),
    ]


def _figure_of_waiting(rounds: Sequence[Round]) -> Figure:
    why, counted = _counted(rounds)
    if not why and not all(one.as_full_share == 1 for one in counted):
        why = "some answers are not of all four"
    p99_ms = median(one.p99_ms for one in counted)
    raw = [asdict(one) for one in rounds]
    # The figure shows that waiting misses the SLO.
    return Figure("waiting for all four, p99", p99_ms, SLO_S * 1e3, "ms", invalid_because=why, raw=raw)


def _counted(rounds: Sequence[Round]) -> tuple[str, list[Round]]:
    """Return the reason why the rounds are invalid, or an empty text, and the rounds that count."""
    undisturbed = [one for one in rounds if one.undisturbed]
    if len(undisturbed) < MIN_ROUNDS:
        return f"machine busy, {len(undisturbed)} of {len(rounds)} rounds undisturbed", list(rounds)
    return "lost answers" if any(one.unanswered for one in undisturbed) else "", undisturbed
