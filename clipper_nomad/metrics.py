"""Metrics of model code, as Clipper's scripts import them: `import clipper_nomad.metrics as metrics`.

In a replica, where this library need not be installed, the runtime answers for this module.
"""

from __future__ import annotations

from clipper_container.metrics import add_metric, report_metric

__all__ = ["add_metric", "report_metric"]
