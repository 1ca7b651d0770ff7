"""The arguments of start_clipper and build_model."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from clipper_nomad.errors import ClipperException, ClipperWarning
from clipper_nomad.operations.cluster import make_cluster_spec, warn_meaningless
from clipper_nomad.types import ClusterSpec

CLIPPER_DEFAULTS: dict[str, Any] = {
    "query_frontend_image": None,
    "mgmt_frontend_image": None,
    "cache_size": 33554432,
    "request_timeout_s": 5,
    "content_timeout_s": 300,
    "num_frontend_replicas": 1,
}


def test_clippers_defaults_are_the_frontends_own() -> None:
    assert make_cluster_spec(**CLIPPER_DEFAULTS) == ClusterSpec()


def test_other_values_are_handed_on() -> None:
    given: dict[str, Any] = {
        "query_frontend_image": "q",
        "mgmt_frontend_image": "m",
        "cache_size": 0,
        "request_timeout_s": 7,
        "content_timeout_s": 1.5,
        "num_frontend_replicas": 2,
    }
    assert make_cluster_spec(**given) == ClusterSpec(2, 0, 7.0, 1.5, "q", "m")


@pytest.mark.parametrize(
    "change",
    [{"cache_size": -1}, {"num_frontend_replicas": 0}, {"request_timeout_s": 0}, {"content_timeout_s": -1}],
)
def test_numbers_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ClipperException, match="use a "):
        make_cluster_spec(**{**CLIPPER_DEFAULTS, **change})


def test_only_what_differs_from_the_default_is_warned_of() -> None:
    with pytest.warns(ClipperWarning, match="thread_pool_size has no effect here"):
        warn_meaningless(thread_pool_size=(4, 1))
    with warnings.catch_warnings(action="error"):
        warn_meaningless(thread_pool_size=(1, 1), image=(None, None))
