"""Metric labels: names that a registry has from before the rules for names are escaped."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from clipper_frontend.query.feedback.guesses import Guesses
from clipper_frontend.query.metrics import QueryCollector, metrics_source
from clipper_frontend.query.readiness import Readiness
from clipper_frontend.query.rpc.lobby import Lobby
from tests.unit.query.simulation import Simulation


def test_a_label_shows_no_control_character_and_no_mark_of_direction() -> None:
    simulation = Simulation()
    names = ("a\x1b[2J", "\u202eb", 'plain "ö"')
    for name in names:
        simulation.application(name)
        simulation.routes.applications[name].statistics.queries = 1
    connections: Any = _NoConnections()
    guesses = Guesses(lambda: 0.0)
    readiness = Readiness(simulation.mirror, simulation.routes.versions)
    collector = QueryCollector(
        simulation.routes, simulation.serving, simulation.sessions, Lobby(0), connections, guesses, readiness
    )
    text = metrics_source(collector)().decode()
    assert all(line.isprintable() for line in text.splitlines())
    families = {family.name: family for family in text_string_to_metric_families(text)}
    labels = {sample.labels["app"] for sample in families["clipper_queries"].samples}
    assert labels >= {r"a\x1b[2J", r"\u202eb", 'plain "ö"'}


class _NoConnections:
    def __init__(self) -> None:
        self.refused_total: dict[int, int] = {}

    def __len__(self) -> int:
        return 0
