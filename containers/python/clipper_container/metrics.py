"""Metrics of model code, and the runtime's own.

Model code calls add_metric() and report_metric(). Names begin with `clipper_`, which is added if it is
missing. Importing this module creates no metric, so that a function that uses it can be pickled in a
notebook.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Optional, Union

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Summary

from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_TOO_LATE

_PREFIX = "clipper_"
_Metric = Union[Counter, Gauge, Histogram, Summary]
_KINDS: dict[str, type[_Metric]] = {
    "Counter": Counter,
    "Gauge": Gauge,
    "Histogram": Histogram,
    "Summary": Summary,
}
_NAME = re.compile(r"[a-zA-Z_]\w*", re.ASCII)
_LABELS = ("model", "version")
_BATCH_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0)
_BATCH_INPUTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)

_metrics: dict[str, _Metric] = {}
_lock = threading.Lock()


def add_metric(
    name: str, metric_type: str, metric_description: str, buckets: Optional[Sequence[float]] = None
) -> None:
    """Create a metric of type 'Counter', 'Gauge', 'Histogram' or 'Summary'.

    `buckets` are upper bounds, for a histogram only. Adding a metric again changes nothing. Raises
    ValueError for an unknown type, an invalid name, or a name that was added with another type.
    """
    kind = _KINDS.get(metric_type)
    if kind is None:
        raise ValueError(
            f"metric {name!r} has the unknown type {metric_type!r}: use one of {', '.join(_KINDS)}"
        )
    if buckets is not None and metric_type != "Histogram":
        raise ValueError(f"metric {name!r} is a {metric_type} and has no buckets: leave them out")
    full_name = _full_name(name)
    if not _NAME.fullmatch(full_name):
        raise ValueError(f"metric {name!r} cannot be exposed: use letters, digits and underscores")
    with _lock:
        known = _metrics.get(full_name)
        if known is None:
            _metrics[full_name] = _create(full_name, kind, metric_description, buckets)
        elif not isinstance(known, kind):
            raise ValueError(
                f"metric {name!r} was added as a {type(known).__name__} and cannot be a {metric_type} too"
            )


def report_metric(name: str, val: float) -> None:
    """Add `val` to a counter, set a gauge to it, or observe it, as the metric's type requires.

    Raises ValueError if the metric was not added, or for a negative value of a counter.
    """
    metric = _metrics.get(_full_name(name))
    if metric is None:
        raise ValueError(f"metric {name!r} is reported before it was added: call add_metric() first")
    if isinstance(metric, Counter):
        metric.inc(val)
    elif isinstance(metric, Gauge):
        metric.set(val)
    else:
        metric.observe(val)


def _full_name(name: str) -> str:
    return name if name.startswith(_PREFIX) else _PREFIX + name


def _create(name: str, kind: type[_Metric], description: str, buckets: Optional[Sequence[float]]) -> _Metric:
    try:
        if buckets is not None:
            return Histogram(name, description, buckets=buckets)
        return kind(name, description)
    except ValueError as exc:
        raise ValueError(f"metric {name!r} cannot be added: {exc}") from exc


class ModelMetrics:
    """The runtime's measurements of its model. A process can have only one such object."""

    def __init__(self, model_name: str, model_version: str) -> None:
        labels = (model_name, model_version)
        self._seconds = Histogram(
            "clipper_model_batch_seconds", "Time that a batch took", _LABELS, buckets=_BATCH_SECONDS
        ).labels(*labels)
        self._sizes = Histogram(
            "clipper_model_batch_inputs", "Inputs in a batch", _LABELS, buckets=_BATCH_INPUTS
        ).labels(*labels)
        self._inputs = Counter("clipper_model_inputs", "Inputs that were run", _LABELS).labels(*labels)
        self._errors = Counter("clipper_model_errors", "Inputs that failed", _LABELS).labels(*labels)
        self._late = Counter(
            "clipper_model_late_inputs", "Inputs that were not run since their time had passed", _LABELS
        ).labels(*labels)

    def observe_batch(self, seconds: float, statuses: bytes) -> None:
        """Count a batch that took `seconds`, with one status per input."""
        late = statuses.count(STATUS_TOO_LATE)
        run = len(statuses) - late
        if late:
            self._late.inc(late)
        if run:
            self._seconds.observe(seconds)
            self._sizes.observe(run)
            self._inputs.inc(run)
        errors = statuses.count(STATUS_MODEL_ERROR)
        if errors:
            self._errors.inc(errors)


__all__ = ["REGISTRY", "ModelMetrics", "add_metric", "report_metric"]
