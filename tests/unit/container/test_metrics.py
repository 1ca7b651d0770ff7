"""The metrics that model code reports."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY, Gauge, generate_latest

import clipper_nomad
import clipper_nomad.metrics
from clipper_container.metrics import MetricError, add_metric, report_metric


def unused_name() -> str:
    return f"tests_{uuid4().hex}"


def exposed(name: str) -> list[str]:
    lines = generate_latest(REGISTRY).decode().splitlines()
    return [line for line in lines if line.startswith(name) and "_created" not in line]


def test_a_counter_counts_up() -> None:
    name = unused_name()
    add_metric(name, "Counter", "how many")
    report_metric(name, 2)
    report_metric(name, 3)
    assert exposed(name) == [f"{name}_total 5.0", f"{name} 5.0"]


def test_a_gauge_is_set() -> None:
    name = unused_name()
    add_metric(name, "Gauge", "how much")
    report_metric(name, 2)
    report_metric(name, 1.5)
    assert exposed(name) == [f"{name} 1.5"]


def test_a_histogram_has_the_buckets_that_were_asked_for() -> None:
    name = unused_name()
    add_metric(name, "Histogram", "how long", [1, 10])
    report_metric(name, 5)
    assert f'{name}_bucket{{le="1.0"}} 0.0' in exposed(name)
    assert f'{name}_bucket{{le="10.0"}} 1.0' in exposed(name)


def test_a_summary_observes() -> None:
    name = unused_name()
    add_metric(name, "Summary", "how long")
    report_metric(name, 4)
    assert set(exposed(name)) == {f"{name}_count 1.0", f"{name}_sum 4.0"}


def test_adding_a_metric_again_changes_nothing() -> None:
    name = unused_name()
    add_metric(name, "Counter", "how many")
    report_metric(name, 1)
    add_metric(name, "Counter", "how many")
    report_metric(name, 1)
    assert exposed(name) == [f"{name}_total 2.0", f"{name} 2.0"]


def test_names_are_kept_as_given() -> None:
    for kind, form in (
        ("Gauge", "{}"),
        ("Counter", "{}_total"),
        ("Gauge", "app:{}"),
        ("Gauge", "clipper_{}"),
    ):
        given = form.format(unused_name())
        add_metric(given, kind, "how much")
        report_metric(given, 1)
        assert exposed(given) == [f"{given} 1.0"]


@pytest.mark.parametrize(
    ("positions", "keywords"),
    [
        (("Histogram", "how long", [1, 10]), {}),
        ((), {"metric_type": "Histogram", "description": "how long", "buckets": [1, 10]}),
        (("Histogram",), {"metric_description": "how long", "buckets": (1, 10)}),
    ],
)
def test_descriptions_and_buckets_are_given_by_keyword_or_position(
    positions: tuple[Any, ...], keywords: dict[str, Any]
) -> None:
    name = unused_name()
    add_metric(name, *positions, **keywords)
    report_metric(name=name, data=5)
    report_metric(name, val=5)
    assert f'{name}_bucket{{le="10.0"}} 2.0' in exposed(name)
    assert f"# HELP {name} how long" in generate_latest(REGISTRY).decode()


def test_a_histogram_has_clippers_buckets_by_default_and_others_ignore_them() -> None:
    name, gauge = unused_name(), unused_name()
    add_metric(name, "Histogram", "how long")
    bounds = [line.split('"')[1] for line in exposed(name) if "_bucket" in line]
    assert bounds[:3] == ["5.0", "10.0", "20.0"]
    assert bounds[-3:] == ["400.0", "500.0", "+Inf"]
    assert len(bounds) == 14
    add_metric(gauge, "Gauge", "how much", [1, 2])
    report_metric(gauge, 1)
    assert exposed(gauge) == [f"{gauge} 1.0"]


def test_errors_are_what_scripts_of_clipper_catch() -> None:
    assert issubclass(MetricError, clipper_nomad.ClipperException)
    assert (clipper_nomad.metrics.add_metric, clipper_nomad.metrics.report_metric) == (
        add_metric,
        report_metric,
    )
    with pytest.raises(clipper_nomad.ClipperException) as caught:
        report_metric(unused_name(), 1)
    assert "call add_metric() first" in caught.value.msg


@pytest.mark.parametrize("value", [None, "much", -1])
def test_a_value_that_a_counter_cannot_take_is_refused(value: Any) -> None:
    name = unused_name()
    add_metric(name, "Counter", "how many")
    with pytest.raises(MetricError, match=f"cannot take {value!r}"):
        report_metric(name, value)


def test_errors_say_what_to_do() -> None:
    name = unused_name()
    with pytest.raises(ValueError, match="use one of Counter, Gauge, Histogram, Summary"):
        add_metric(name, "Meter", "how many")
    with pytest.raises(ValueError, match=r"call add_metric\(\) first"):
        report_metric(name, 1)
    add_metric(name, "Gauge", "how much")
    with pytest.raises(ValueError, match="added as a Gauge and cannot be a Counter too"):
        add_metric(name, "Counter", "how many")
    with pytest.raises(ValueError, match="letters, digits, underscores"):
        add_metric("no-name", "Gauge", "how much")


def test_a_name_that_is_taken_in_the_registry_is_refused() -> None:
    name = unused_name()
    Gauge(f"{name}", "made without add_metric()")
    with pytest.raises(ValueError, match="cannot be added"):
        add_metric(name, "Gauge", "how much")


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(MetricError, match="may have 200 characters"):
        add_metric("a" * 201, "Gauge")
