"""The management frontend's metrics, in a collection of their own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Calls take about a millisecond; the last buckets are for those that wait for a Redis that is away.
_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class ManagementMetrics:
    """Counts requests and their durations."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "clipper_management_requests_total",
            "Requests to the management frontend",
            ["path", "status"],
            registry=self._registry,
        )
        self._latency = Histogram(
            "clipper_management_request_duration_seconds",
            "Time from a request's head to its answer",
            ["path"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )

    def observe(self, path: str, status: int, duration_s: float) -> None:
        """Count one answered request; `path` is the path of a route, so that there are few labels."""
        self._requests.labels(path, str(status)).inc()
        self._latency.labels(path).observe(duration_s)

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)
