"""The metrics of the query frontend, gathered at each request for them.

Applications and versions without any activity yet are left out, so that a thousand idle ones cost nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from clipper_container.logs import printable
from clipper_container.wire import V3
from clipper_frontend import codings
from clipper_frontend.query.feedback.guesses import Guesses
from clipper_frontend.query.http.connections import Connections
from clipper_frontend.query.prediction.statistics import Histogram
from clipper_frontend.query.readiness import Readiness
from clipper_frontend.query.rpc.lobby import Lobby
from clipper_frontend.query.rpc.sessions import Sessions
from clipper_frontend.query.serving.routes import Routes
from clipper_frontend.query.serving.serving import Serving

_APP = ["app"]
_ARM = ["app", "arm"]
_VERSION = ["model", "version"]


#: The share of the event loop's time that making the text may take, and how much it may take at once before.
_MAX_SHARE = 0.05
_MAX_CREDIT_S = 0.05


def metrics_source(collector: Collector) -> MetricsText:
    """Return the text of the metrics of a collector, in Prometheus's format."""
    registry = CollectorRegistry()
    registry.register(collector)
    return MetricsText(lambda: generate_latest(registry))


class MetricsText:
    """The text for all readers. It is made afresh for each, unless that would keep the loop from queries.

    Then readers get the last one: if it takes a millisecond to make, one that is 20 ms old at most.
    """

    def __init__(self, make: Callable[[], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._credit_s = _MAX_CREDIT_S
        self._counted_at = clock()
        self._text: bytes | None = None
        self._compressed: bytes | None = None

    def __call__(self, *, compressed: bool = False) -> bytes:
        """Return the text, perhaps as gzip."""
        now = self._clock()
        self._credit_s = min(_MAX_CREDIT_S, self._credit_s + (now - self._counted_at) * _MAX_SHARE)
        self._counted_at = now
        if self._text is None or self._credit_s > 0:
            self._text, self._compressed = self._make(), None
        if compressed and self._compressed is None:
            self._compressed = codings.compress(self._text)
        self._credit_s -= self._clock() - now
        text = self._compressed if compressed else self._text
        assert text is not None
        return text


class QueryCollector(Collector):
    """All metrics of a query frontend, with printable labels."""

    def __init__(
        self,
        routes: Routes,
        serving: Serving,
        sessions: Sessions,
        lobby: Lobby,
        connections: Connections,
        guesses: Guesses,
        readiness: Readiness,
    ) -> None:
        self._readiness = readiness
        self._guesses = guesses
        self._connections = connections
        self._routes = routes
        self._serving = serving
        self._sessions = sessions
        self._lobby = lobby

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that metrics are not made only to be registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        for family in self._families():
            for sample in family.samples:
                for label, value in sample.labels.items():
                    # Names in a registry may be older than the rules for names.
                    if not value.isprintable():
                        sample.labels[label] = printable(value)
            yield family

    def _families(self) -> Iterator[Metric]:
        yield from self._of_applications()
        yield from self._of_arms()
        yield from self._of_versions()
        yield from self._of_replicas()
        cache = self._serving.predictions.cache
        yield GaugeMetricFamily(
            "clipper_cache_bytes", "Memory that the prediction cache uses", cache.used_bytes
        )
        yield GaugeMetricFamily("clipper_cache_entries", "Outputs in the prediction cache", len(cache))
        yield CounterMetricFamily(
            "clipper_malformed_messages",
            "RPC messages that could not be read",
            self._sessions.malformed_messages,
        )
        yield CounterMetricFamily(
            "clipper_dropped_messages",
            "RPC messages of peers without a session that were too many to be read",
            self._sessions.strangers.dropped_messages,
        )
        yield CounterMetricFamily(
            "clipper_ended_connections",
            "RPC connections of peers without a session that sent too much or were too many",
            self._lobby.ended,
        )
        yield GaugeMetricFamily(
            "clipper_registry_replaced",
            "1 while Redis holds another registry than the one that is followed",
            float(self._readiness.replaced),
        )
        yield CounterMetricFamily(
            "clipper_wrong_query_ids", "Feedback with a query id that was never given", self._guesses.total
        )
        yield GaugeMetricFamily("clipper_connections", "Open client connections", len(self._connections))
        refused = CounterMetricFamily(
            "clipper_refused_requests", "Requests refused before they were read in full", labels=["status"]
        )
        for status, count in self._connections.refused_total.items():
            refused.add_metric([str(status)], count)
        yield refused

    def _of_applications(self) -> Iterator[Metric]:
        queries = CounterMetricFamily("clipper_queries", "Queries, one for each input", labels=_APP)
        defaults = CounterMetricFamily(
            "clipper_defaults", "Queries answered without a prediction, by reason", labels=["app", "reason"]
        )
        late = CounterMetricFamily("clipper_late_answers", "Answers later than their SLO", labels=_APP)
        bad = CounterMetricFamily("clipper_bad_requests", "Requests that were refused", labels=_APP)
        abandoned = CounterMetricFamily(
            "clipper_abandoned", "Queries whose client left before the answer", labels=_APP
        )
        feedback = CounterMetricFamily("clipper_feedback", "Feedback received", labels=_APP)
        latency = HistogramMetricFamily(
            "clipper_query_latency_seconds", "From a complete request to its answer", labels=_APP
        )
        for name, application in self._routes.applications.items():
            statistics = application.statistics
            if statistics.queries or statistics.bad_requests or statistics.feedback:
                queries.add_metric([name], statistics.queries)
                late.add_metric([name], statistics.late_answers)
                bad.add_metric([name], statistics.bad_requests)
                abandoned.add_metric([name], statistics.abandoned)
                feedback.add_metric([name], statistics.feedback)
                _add_histogram(latency, [name], statistics.latency)
                for reason, count in statistics.defaults.items():
                    defaults.add_metric([name, reason], count)
        yield from (queries, defaults, late, bad, abandoned, feedback, latency)

    def _of_arms(self) -> Iterator[Metric]:
        counters = {
            attribute: CounterMetricFamily(f"clipper_selection_{attribute}", text, labels=_ARM)
            for attribute, text in _ARM_COUNTERS.items()
        }
        weight = GaugeMetricFamily(
            "clipper_selection_weight",
            "The share of queries that an arm answers, or what it counts in every answer",
            labels=_ARM,
        )
        for name, application in self._routes.applications.items():
            if application.arm_statistics:
                for arm, share in zip(application.arm_names, application.selector(None).shares, strict=True):
                    weight.add_metric([name, arm], share)
            for arm, statistics in application.statistics.arms.items():
                for attribute, family in counters.items():
                    family.add_metric([name, arm], getattr(statistics, attribute))
        yield from (weight, *counters.values())

    def _of_versions(self) -> Iterator[Metric]:
        queue = GaugeMetricFamily(
            "clipper_queue_length", "Predictions that wait for a replica", labels=_VERSION
        )
        batches = HistogramMetricFamily("clipper_batch_size", "Inputs in a batch", labels=_VERSION)
        counters = {
            attribute: CounterMetricFamily(f"clipper_{attribute}", text, labels=_VERSION)
            for attribute, text in _VERSION_COUNTERS.items()
        }
        for served in self._routes.versions:
            name, version, statistics = served.name, served.version, served.statistics
            if not (served.replicas or statistics.cache_hits or statistics.cache_misses):
                continue
            queue.add_metric([name, version], len(served.queue))
            _add_histogram(batches, [name, version], statistics.batch_sizes)
            for attribute, family in counters.items():
                family.add_metric([name, version], getattr(statistics, attribute))
        yield from (queue, batches, *counters.values())

    def _of_replicas(self) -> Iterator[Metric]:
        live = GaugeMetricFamily("clipper_live_replicas", "Replicas in the rotation here", labels=_VERSION)
        alone = GaugeMetricFamily(
            "clipper_single_frontend_replicas",
            "Replicas of RPC version 3, which reach one query frontend alone",
            labels=_VERSION,
        )
        for served in self._routes.versions:
            name, version = served.name, served.version
            if served.replicas:
                live.add_metric([name, version], sum(replica.in_rotation for replica in served.replicas))
                alone.add_metric([name, version], sum(r.rpc_version == V3 for r in served.replicas))
        yield from (live, alone)


_ARM_COUNTERS = {
    "chosen": "Queries that asked an arm for the answer",
    "missing": "Queries of several arms that an arm gave no output to in time",
    "shadowed": "Queries that an arm only watched",
    "measured": "Feedback on an arm's outputs",
    "reward": "How right an arm's outputs were, from 0 to 1 each, summed",
}
_VERSION_COUNTERS = {
    "cache_hits": "Queries answered from the prediction cache",
    "cache_misses": "Queries that were not in the prediction cache",
    "joined": "Queries that joined a prediction in flight for the same input",
    "retries": "Predictions sent again after their replica was lost or hung",
    "model_errors": "Inputs on which the model failed",
    "lost_replicas": "Sessions with replicas that ended",
}


def _add_histogram(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    cumulative = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], histogram.counts, strict=True):
        cumulative += count
        buckets.append((bound, cumulative))
    family.add_metric(labels, buckets, histogram.total)
