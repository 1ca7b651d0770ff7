"""Model functions that report metrics, in the ways in which scripts import `clipper_nomad.metrics`.

This module travels with them, so it imports nothing that a replica has not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import clipper_nomad.metrics as metrics
from clipper_nomad.metrics import add_metric

Model = Callable[[Any], Sequence[Any]]


def by_module(inputs: Any) -> Sequence[Any]:
    """Report by the module, imported under another name."""
    metrics.add_metric("rows_by_module", "Counter", description="Rows", buckets=None)
    metrics.report_metric("rows_by_module", len(inputs))
    return [0.0] * len(inputs)


def by_name(inputs: Any) -> Sequence[Any]:
    """Report by functions that were imported themselves."""
    add_metric("rows_by_name", "Histogram", "Rows", [1, 2])
    metrics.report_metric("rows_by_name", len(inputs))
    return [2.0] * len(inputs)


def by_import() -> Model:
    """Return a function that travels by value and imports inside."""

    def predict(inputs: Any) -> list[Any]:
        import clipper_nomad.metrics
        from clipper_nomad import ClipperException
        from clipper_nomad.metrics import report_metric

        clipper_nomad.metrics.add_metric("rows_by_import", "Gauge", "Rows")
        report_metric("rows_by_import", len(inputs))
        try:
            report_metric("unknown", 1)
        except ClipperException:
            return [1.0] * len(inputs)
        return []

    return predict
