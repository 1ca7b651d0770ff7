"""Useful throughput: wrk's answers that came from a model, without the defaults that the frontend counted."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.scrape import count_defaults
from tests.benchmarks.wrk import RANDOM, Queries, WrkResult, load
from tests.support.processes import QueryFrontend


@dataclass(frozen=True)
class Useful:
    """One run of wrk against a query frontend."""

    wrk: WrkResult
    defaults: float

    @property
    def per_s(self) -> float:
        """Return answers per second that came from a model."""
        return max(self.wrk.requests - self.defaults, 0) / self.wrk.seconds

    @property
    def default_fraction(self) -> float:
        """Return the fraction of answers that were the default output."""
        return self.defaults / max(self.wrk.requests, 1)

    @property
    def is_clean(self) -> bool:
        """Return whether every query was answered, and by a model."""
        return self.wrk.errors == 0 and self.defaults == 0


def measure(
    frontend: QueryFrontend, app: str, *, connections: int, seconds: float, queries: Queries = RANDOM
) -> Useful:
    """Load one application of a frontend with wrk."""
    before = count_defaults(frontend, app)
    result = load(frontend.rest, app, connections=connections, seconds=seconds, queries=queries)
    return Useful(result, count_defaults(frontend, app) - before)
