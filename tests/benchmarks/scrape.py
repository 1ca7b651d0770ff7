"""The counters of a query frontend, read from its /metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.support.frontends.cluster import request
from tests.support.processes import QueryFrontend


def total(frontend: QueryFrontend, sample: str, **labels: str) -> float:
    """Return the sum of all samples of this name whose labels are these."""
    _, text = request(frontend.admin, "GET", "/metrics")
    return sum(
        found.value
        for family in text_string_to_metric_families(text.decode())
        for found in family.samples
        if found.name == sample and labels.items() <= found.labels.items()
    )


def count_defaults(frontend: QueryFrontend, app: str) -> float:
    """Return how many queries of `app` were answered with the default output so far."""
    return total(frontend, "clipper_defaults_total", app=app)


def count_missing(frontend: QueryFrontend, app: str) -> float:
    """Return how many outputs that policies asked for were missing in answers of `app` so far."""
    return total(frontend, "clipper_selection_missing_total", app=app)


def count_queries(frontend: QueryFrontend, app: str) -> float:
    """Return how many queries of `app` arrived so far."""
    return total(frontend, "clipper_queries_total", app=app)
