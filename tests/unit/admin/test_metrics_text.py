"""Reading Prometheus' text format."""

from __future__ import annotations

import pytest

from clipper_nomad.operations.inspection import parse_metrics

TEXT = """\
# TYPE clipper_queries counter
clipper_queries_total{app="a"} 3.0
clipper_queries_total{app="b"} 4.0
# TYPE clipper_live_replicas gauge
clipper_live_replicas 2.0
"""


def test_samples_are_listed_by_name() -> None:
    assert parse_metrics(TEXT) == {
        "clipper_queries_total": [
            {"labels": {"app": "a"}, "value": 3.0},
            {"labels": {"app": "b"}, "value": 4.0},
        ],
        "clipper_live_replicas": [{"labels": {}, "value": 2.0}],
    }


def test_what_is_malformed_is_refused() -> None:
    with pytest.raises(ValueError):
        parse_metrics("clipper_queries_total one")
