"""The check of the demo's answers, and their latencies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from clipper_nomad.demo.traffic import Answer

# As a share of the value. Another order of additions differs by far less, another model by far more.
_TOLERANCE = 1e-9


def agrees(answer: Answer, expected: Sequence[float]) -> bool:
    """Return whether an answer is a prediction, and the expected one."""
    wanted = expected[answer.row]
    return not answer.is_default and abs(answer.value - wanted) <= _TOLERANCE * abs(wanted)


def count_disagreeing(answers: Iterable[Answer], *accepted: Sequence[float]) -> int:
    """Return how many answers agree with none of the accepted expectations."""
    return sum(1 for answer in answers if not any(agrees(answer, expected) for expected in accepted))


def count_defaults(answers: Iterable[Answer]) -> int:
    """Return how many answers were defaults."""
    return sum(answer.is_default for answer in answers)


def percentile_ms(answers: Collection[Answer], percent: float) -> float:
    """Return the latency that `percent` of the answers did not exceed, by the nearest rank."""
    latencies = sorted(answer.latency_ms for answer in answers)
    rank = max(1, -(-len(latencies) * percent // 100))
    return latencies[int(rank) - 1]
