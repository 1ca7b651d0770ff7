"""The metrics that model code reports."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prometheus_client import REGISTRY, Gauge, generate_latest

from clipper_container.metrics import add_metric, report_metric


def unused_name() -> str:
    return f"tests_{uuid4().hex}"


def exposed(name: str) -> list[str]:
    lines = generate_latest(REGISTRY).decode().splitlines()
    return [line for line in lines if line.startswith(f"clipper_{name}") and "_created" not in line]


def test_a_counter_counts_up() -> None:
    name = unused_name()
    add_metric(name, "Counter", "how many")
    report_metric(name, 2)
    report_metric(f"clipper_{name}", 3)
    assert exposed(name) == [f"clipper_{name}_total 5.0"]


def test_a_gauge_is_set() -> None:
    name = unused_name()
    add_metric(name, "Gauge", "how much")
    report_metric(name, 2)
    report_metric(name, 1.5)
    assert exposed(name) == [f"clipper_{name} 1.5"]


def test_a_histogram_has_the_buckets_that_were_asked_for() -> None:
    name = unused_name()
    add_metric(name, "Histogram", "how long", [1, 10])
    report_metric(name, 5)
    assert f'clipper_{name}_bucket{{le="1.0"}} 0.0' in exposed(name)
    assert f'clipper_{name}_bucket{{le="10.0"}} 1.0' in exposed(name)


def test_a_summary_observes() -> None:
    name = unused_name()
    add_metric(name, "Summary", "how long")
    report_metric(name, 4)
    assert set(exposed(name)) == {f"clipper_{name}_count 1.0", f"clipper_{name}_sum 4.0"}


def test_adding_a_metric_again_changes_nothing() -> None:
    name = unused_name()
    add_metric(name, "Counter", "how many")
    report_metric(name, 1)
    add_metric(f"clipper_{name}", "Counter", "how many")
    report_metric(name, 1)
    assert exposed(name) == [f"clipper_{name}_total 2.0"]


def test_errors_say_what_to_do() -> None:
    name = unused_name()
    with pytest.raises(ValueError, match="use one of Counter, Gauge, Histogram, Summary"):
        add_metric(name, "Meter", "how many")
    with pytest.raises(ValueError, match=r"call add_metric\(\) first"):
        report_metric(name, 1)
    with pytest.raises(ValueError, match="has no buckets"):
        add_metric(name, "Gauge", "how much", [1])
    add_metric(name, "Gauge", "how much")
    with pytest.raises(ValueError, match="added as a Gauge and cannot be a Counter too"):
        add_metric(name, "Counter", "how many")
    with pytest.raises(ValueError, match="letters, digits and underscores"):
        add_metric("no-name", "Gauge", "how much")


def test_a_name_that_is_taken_in_the_registry_is_refused() -> None:
    name = unused_name()
    Gauge(f"clipper_{name}", "made without add_metric()")
    with pytest.raises(ValueError, match="cannot be added"):
        add_metric(name, "Gauge", "how much")
