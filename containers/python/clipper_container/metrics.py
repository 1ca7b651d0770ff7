"""Metrics of model code, and the runtime's own.

Model code calls add_metric() and report_metric(), here or in `clipper_nomad.metrics`. Names stay as they are
given. Importing this module creates no metric, so that a function that uses it can be pickled in a notebook.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from typing import Optional, Union

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Summary
from prometheus_client.core import UntypedMetricFamily
from prometheus_client.registry import Collector

from clipper_container.errors import ClipperException
from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_TOO_LATE

_Metric = Union[Counter, Gauge, Histogram, Summary]
_KINDS: dict[str, type[_Metric]] = {
    "Counter": Counter,
    "Gauge": Gauge,
    "Histogram": Histogram,
    "Summary": Summary,
}
#: Clipper's, for times in milliseconds.
_DEFAULT_BUCKETS = (5, 10, 20, 35, 50, 75, 100, 150, 200, 250, 300, 400, 500, float("inf"))
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MAX_NAME_CHARACTERS = 200
_TOTAL = "_total"
_LABELS = ("model", "version")
_BATCH_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0)
_BATCH_INPUTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)

_metrics: dict[str, _Metric] = {}
_lock = threading.Lock()


class MetricError(ClipperException, ValueError):
    """A metric cannot be added or reported."""


def add_metric(
    name: str,
    metric_type: str,
    description: str = "",
    buckets: Optional[Sequence[float]] = None,
    *,
    metric_description: str = "",
) -> None:
    """Create a metric of type 'Counter', 'Gauge', 'Histogram' or 'Summary'.

    `buckets` are upper bounds and count for a histogram only; by default they are Clipper's, for
    milliseconds. `metric_description` is the older name of `description`. Adding a metric again changes
    nothing. Raises ClipperException for an unknown type, an invalid name, or a name that is taken.
    """
    kind = _KINDS.get(metric_type)
    if kind is None:
        raise MetricError(
            f"metric {name!r} has the unknown type {metric_type!r}: use one of {', '.join(_KINDS)}"
        )
    if len(name) > _MAX_NAME_CHARACTERS:
        raise MetricError(
            f"metric {name[:40]!r}… cannot be exposed: its name may have {_MAX_NAME_CHARACTERS} characters"
        )
    if not _NAME.fullmatch(name):
        raise MetricError(
            f"metric {name!r} cannot be exposed: use letters, digits, underscores and colons, no digit first"
        )
    with _lock:
        known = _metrics.get(name)
        if known is None:
            _metrics[name] = _create(name, kind, description or metric_description, buckets)
        elif not isinstance(known, kind):
            raise MetricError(
                f"metric {name!r} was added as a {type(known).__name__} and cannot be a {metric_type} too"
            )


def report_metric(name: str, data: Optional[float] = None, *, val: Optional[float] = None) -> None:
    """Add `data` to a counter, set a gauge to it, or observe it, as the metric's type requires.

    `val` is the older name of `data`. Raises ClipperException if the metric was not added, for no number, and
    for a negative value of a counter.
    """
    metric = _metrics.get(name)
    if metric is None:
        raise MetricError(f"metric {name!r} is reported before it was added: call add_metric() first")
    value = val if data is None else data
    try:
        _report(metric, float(value))  # type: ignore[arg-type]  # None and texts are refused here
    except (TypeError, ValueError) as exc:
        raise MetricError(f"metric {name!r} cannot take {value!r}: {exc}") from exc


def _report(metric: _Metric, value: float) -> None:
    if isinstance(metric, Counter):
        metric.inc(value)
    elif isinstance(metric, Gauge):
        metric.set(value)
    else:
        metric.observe(value)


def _create(name: str, kind: type[_Metric], description: str, buckets: Optional[Sequence[float]]) -> _Metric:
    try:
        if kind is Histogram:
            return Histogram(name, description, buckets=_DEFAULT_BUCKETS if buckets is None else buckets)
        metric = kind(name, description)
        if isinstance(metric, Counter) and not name.endswith(_TOTAL):
            REGISTRY.register(_GivenName(name, description, metric))
    except ValueError as exc:
        raise MetricError(f"metric {name!r} cannot be added: {exc}") from exc
    return metric


class _GivenName(Collector):
    """A counter under its given name, since Prometheus's client shows it as `<name>_total` only."""

    def __init__(self, name: str, description: str, counter: Counter) -> None:
        self._name, self._description, self._counter = name, description, counter

    def describe(self) -> Iterable[UntypedMetricFamily]:
        return ()  # the counter has reserved the name

    def collect(self) -> Iterable[UntypedMetricFamily]:
        (family,) = self._counter.collect()
        (total,) = (sample.value for sample in family.samples if sample.name.endswith(_TOTAL))
        yield UntypedMetricFamily(self._name, self._description, value=total)


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
        self._non_finite = Counter(
            "clipper_model_non_finite_values", "NaN and infinite values in outputs, sent as null", _LABELS
        ).labels(*labels)
        self._late = Counter(
            "clipper_model_late_inputs", "Inputs that were not run since their time had passed", _LABELS
        ).labels(*labels)

    def observe_batch(self, seconds: float, statuses: bytes, non_finite: int = 0) -> None:
        """Count a batch that took `seconds`, with one status per input and `non_finite` nulls for numbers."""
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
        if non_finite:
            self._non_finite.inc(non_finite)


__all__ = ["REGISTRY", "MetricError", "ModelMetrics", "add_metric", "report_metric"]
