"""The exposition of a replica's metrics: what model code put into them is escaped, and bounded.

Prometheus's client escapes quotes, backslashes and line feeds alone, and shows any number of series. Model
code may take labels from inputs, which are others' text.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from typing import Optional

from prometheus_client import Metric, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from clipper_container.logs import printable

_LOG = logging.getLogger("clipper.container")

#: Series of model code that are shown, of all its metrics together. Prometheus itself gets slow by so many.
MAX_SERIES = 10_000
#: Characters of a series' name and labels together; a longer one is left out.
MAX_SERIES_CHARACTERS = 4_096
#: Characters of a help text; a longer one is cut.
MAX_HELP_CHARACTERS = 1_000
#: The runtime's metrics and those that Prometheus's client has of the process are always shown.
_OWN_METRICS = ("clipper_model_", "process_", "python_")


class Exposition(Collector):
    """The metrics of a registry as they are shown."""

    def __init__(self, registry: Collector) -> None:
        self._registry = registry
        self._has_warned = False

    def text(self) -> bytes:
        """Return all metrics in Prometheus's format."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """Yield copies of all metrics that hold nothing which could steer a terminal."""
        room, left_out = MAX_SERIES, 0
        for metric in self._registry.collect():
            shown = [sample for sample in map(_shown_sample, metric.samples) if sample is not None]
            if not metric.name.startswith(_OWN_METRICS):
                shown = shown[:room]
                room -= len(shown)
            left_out += len(metric.samples) - len(shown)
            yield _shown_metric(metric, shown)
        if left_out and not self._has_warned:
            self._has_warned = True
            _LOG.warning(
                "/metrics leaves out %d series of the model's code: it shows %d, of %d characters each; use "
                "labels with fewer and shorter values",
                left_out,
                MAX_SERIES,
                MAX_SERIES_CHARACTERS,
            )


def _shown_metric(metric: Metric, samples: list[Sample]) -> Metric:
    shown = copy.copy(metric)
    shown.name = printable(metric.name)
    shown.documentation = printable(metric.documentation[:MAX_HELP_CHARACTERS])
    shown.samples = samples
    return shown


def _shown_sample(sample: Sample) -> Optional[Sample]:
    """Return a sample with printable labels, or None if they are too long."""
    size = len(sample.name) + sum(len(name) + len(value) for name, value in sample.labels.items())
    if size > MAX_SERIES_CHARACTERS:
        return None
    if sample.name.isprintable() and all(map(str.isprintable, sample.labels.values())):
        return sample
    labels = {printable(name): printable(value) for name, value in sample.labels.items()}
    return sample._replace(name=printable(sample.name), labels=labels)
