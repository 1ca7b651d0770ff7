"""The exposition of a replica's metrics: what model code can put into it, and what is shown of that."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families

from clipper_container.process.exposition import (
    MAX_HELP_CHARACTERS,
    MAX_SERIES,
    MAX_SERIES_CHARACTERS,
    Exposition,
)

HOSTILE = {
    "\x1b[2J": r"\x1b[2J",
    "a\rb\x85\u2028c": r"a\rb\x85\u2028c",
    "\u202egpj": r"\u202egpj",
    "\ud800": r"\ud800",
    'quote" and \\': 'quote" and \\',
    "ö 日本": "ö 日本",
}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def series(registry: CollectorRegistry) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return what a reader of the text gets: values by metric and labels."""
    text = Exposition(registry).text().decode()
    assert all(line.isprintable() for line in text.split("\n"))
    return {
        family.name: {tuple(sample.labels.items()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_labels_are_printable_and_as_they_are_where_they_can_be(registry: CollectorRegistry) -> None:
    gauge = Gauge("rows", "Rows", ["kind"], registry=registry)
    for label in HOSTILE:
        gauge.labels(label).set(1)
    assert {labels[0][1] for labels in series(registry)["rows"]} == set(HOSTILE.values())


def test_a_line_feed_in_a_label_or_a_help_text_begins_no_line(registry: CollectorRegistry) -> None:
    Gauge("rows", "Rows\nforged 1", ["kind"], registry=registry).labels("x\nforged 2").set(1)
    assert set(series(registry)) == {"rows"}


def test_help_texts_are_printable_and_bounded(registry: CollectorRegistry) -> None:
    for number, text in enumerate(HOSTILE):
        Gauge(f"rows_{number}", text, registry=registry)
    Gauge("long", "x" * 100_000, registry=registry)
    text = Exposition(registry).text().decode()
    assert all(line.isprintable() for line in text.split("\n"))
    assert "x" * MAX_HELP_CHARACTERS + "\n" in text


def test_many_series_and_long_ones_are_left_out_with_one_line_and_the_runtimes_own_are_not(
    registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    gauge = Gauge("rows", "Rows", ["kind"], registry=registry)
    gauge.labels("x" * MAX_SERIES_CHARACTERS).set(1)
    for number in range(MAX_SERIES + 10):
        gauge.labels(str(number)).set(1)
    Counter("other", "Other", registry=registry)
    own = Gauge("clipper_model_batch", "Own", ["kind"], registry=registry)
    own.labels("own").set(1)
    exposition = Exposition(registry)
    lines = exposition.text().decode().splitlines()
    assert lines == exposition.text().decode().splitlines()
    assert sum(line.startswith("rows{") for line in lines) == MAX_SERIES
    assert 'clipper_model_batch{kind="own"} 1.0' in lines
    assert not any(line.startswith("other_total") for line in lines)
    assert ["leaves out 13 series" in record.getMessage() for record in caplog.records] == [True]


def test_what_is_shown_changes_nothing_in_the_registry(registry: CollectorRegistry) -> None:
    gauge = Gauge("rows", "a\x1b", ["kind"], registry=registry)
    gauge.labels("\x1b").set(1)
    Exposition(registry).text()
    (family,) = registry.collect()
    assert (family.documentation, family.samples[0].labels) == ("a\x1b", {"kind": "\x1b"})
