"""A load of twice a model's capacity, arriving in an open loop."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tests.benchmarks.arrivals import Arrivals, run_arrivals
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.support.frontends.cluster import Cluster
from tests.support.models import sleeping_sums
from tests.support.processes import QueryFrontend

SLO_S = 0.1
NOISE_S = 0.01
_MEGABYTE = 1e6
#: Enough to keep the model busy, few enough for every answer to be in time.
_CLOSED_CONNECTIONS = 12
_MODELS = {
    "batches of one": (sleeping_sums(per_batch_s=0.005), 1),
    "learnt batch size": (sleeping_sums(per_input_s=0.002), -1),
}


@dataclass(frozen=True)
class Overload:
    """A load of twice the capacity that was measured just before."""

    capacity: Arrivals
    overload: Arrivals
    rss_before_bytes: int
    rss_after_bytes: int

    @property
    def capacity_per_s(self) -> float:
        """Return the model's throughput in a closed loop."""
        return self.capacity.useful / self.capacity.seconds

    @property
    def in_time_fraction(self) -> float:
        """Return the fraction of queries that were answered within SLO and noise, by default or model."""
        return self.overload.in_time / self.overload.sent

    @property
    def useful_fraction(self) -> float:
        """Return useful throughput under the overload as a fraction of the capacity."""
        return self.overload.useful / self.overload.seconds / self.capacity_per_s

    @property
    def growth_bytes(self) -> int:
        """Return by how much the frontend's memory grew."""
        return self.rss_after_bytes - self.rss_before_bytes


def measure_overload(frontend: QueryFrontend, seconds: float, app: str = "app") -> Overload:
    """Measure an application's capacity, then load it with twice as much; its SLO must be SLO_S."""
    limit_s = SLO_S + NOISE_S
    capacity = run_arrivals(
        frontend.rest, app, seconds=seconds, limit_s=limit_s, connections=_CLOSED_CONNECTIONS
    )
    twice_per_s = 2 * capacity.useful / capacity.seconds
    # Any load makes connections and buffers grow at first.
    run_arrivals(frontend.rest, app, seconds=seconds / 4, limit_s=limit_s, per_s=twice_per_s)
    before = frontend.rss_bytes
    overload = run_arrivals(frontend.rest, app, seconds=seconds, limit_s=limit_s, per_s=twice_per_s)
    return Overload(capacity, overload, before, frontend.rss_bytes)


def measure_overloads(plan: Plan) -> list[Figure]:
    """Overload a model that is run one input at a time, and one whose batch size is learnt."""
    figures = []
    for name, (model, batch_size) in _MODELS.items():
        with Cluster() as cluster:
            cluster.serve(model, slo_s=SLO_S, batch_size=batch_size)
            figures += _figures(name, measure_overload(cluster.frontend, plan.overload_s))
    return figures


def _figures(name: str, measured: Overload) -> list[Figure]:
    in_time, useful = 100 * measured.in_time_fraction, 100 * measured.useful_fraction
    growth = measured.growth_bytes / _MEGABYTE
    return [
        Figure(f"overload, {name}: answered within SLO + 10 ms", in_time, 99, "%", raw=asdict(measured)),
        Figure(f"overload, {name}: useful, of the capacity", useful, 90, "%"),
        Figure(f"overload, {name}: the frontend's memory grows", growth, 5, "MB", at_most=True),
    ]
