"""The table of all metrics in frontend/README.md, made from the collectors that expose them.

    python -m tests.support.metrics_table            # writes it
    python -m tests.support.metrics_table --check    # fails if it is not current

Each part does something of each kind first: labels show in samples only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from clipper_container.metrics import ModelMetrics
from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_TOO_LATE
from clipper_frontend.management.metrics import ManagementMetrics
from clipper_frontend.query.feedback.guesses import Guesses
from clipper_frontend.query.http.connections import Connections
from clipper_frontend.query.metrics import QueryCollector, metrics_source
from clipper_frontend.query.readiness import Readiness
from clipper_frontend.query.rpc.lobby import Lobby
from tests.support.paths import REPOSITORY
from tests.unit.query.simulation import Simulation

PAGE = REPOSITORY / "frontend" / "README.md"
BEGIN = "<!-- Made by python -m tests.support.metrics_table -->\n"
END = "<!-- The end of what is made -->\n"
#: Labels of a histogram's samples that the metric itself does not have.
_OWN_LABELS = {"le"}


@dataclass(frozen=True)
class Described:
    """One row of the table: a metric."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


def query_frontend_metrics() -> list[Described]:
    """Return the metrics of a query frontend that was asked twice, once without a replica."""
    simulation = Simulation(cache_bytes=1000)
    simulation.application(policy={"name": "split", "arms": ["model:1"]})
    simulation.model()
    simulation.link()
    simulation.ask(1.0)
    simulation.run_until(1.0)
    simulation.replica()
    simulation.ask(1.0)
    simulation.run_until(2.0)
    connections = Connections()
    connections.refused_total[413] += 1
    collector = QueryCollector(
        simulation.routes,
        simulation.serving,
        simulation.sessions,
        Lobby(0),
        connections,
        Guesses(lambda: 0.0),
        Readiness(simulation.mirror, simulation.routes.versions),
    )
    return _describe(metrics_source(collector)())


def management_frontend_metrics() -> list[Described]:
    """Return the metrics of a management frontend that has answered once."""
    metrics = ManagementMetrics()
    metrics.observe("/admin/add_app", 200, 0.001)
    return _describe(metrics.render())


def model_metrics() -> list[Described]:
    """Return the metrics of a replica that has run a batch. Call it once in a process."""
    ModelMetrics("wine", "1").observe_batch(0.001, bytes([STATUS_MODEL_ERROR, STATUS_TOO_LATE]))
    return [each for each in _describe(generate_latest(REGISTRY)) if each.name.startswith("clipper_")]


def make_tables() -> str:
    """Return the tables of all processes, as Markdown."""
    parts = {
        "Query frontend": query_frontend_metrics(),
        "Management frontend": management_frontend_metrics(),
        "Replica of a model": model_metrics(),
    }
    return "\n".join(_table(title, metrics) for title, metrics in parts.items())


def with_tables(page: str) -> str:
    """Return a page with the current tables between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{make_tables()}\n{END}{after}"


def main() -> int:
    """Write the page, or compare it; the exit status is 1 if it is not current."""
    page = PAGE.read_text()
    current = with_tables(page)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(current)
    elif page != current:
        print(f"{PAGE} is not current: run python -m tests.support.metrics_table", file=sys.stderr)
        return 1
    return 0


def _describe(exposed: bytes) -> list[Described]:
    found = text_string_to_metric_families(exposed.decode())
    return [_described(each) for each in found if not each.name.endswith("_created")]


def _described(family: Metric) -> Described:
    if not family.samples:
        raise LookupError(f"{family.name} has no samples, so its labels are unknown: let one happen above")
    labels = {name: None for sample in family.samples for name in sample.labels if name not in _OWN_LABELS}
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return Described(name, family.type, tuple(labels), family.documentation)


def _table(title: str, metrics: Iterable[Described]) -> str:
    return "\n".join([f"### {title}", "", *_rows(metrics), ""])


def _rows(metrics: Iterable[Described]) -> Iterator[str]:
    yield "| metric | type | labels | |"
    yield "| --- | --- | --- | --- |"
    for each in metrics:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        yield f"| `{each.name}` | {each.kind} | {labels} | {each.text} |"


if __name__ == "__main__":
    sys.exit(main())
