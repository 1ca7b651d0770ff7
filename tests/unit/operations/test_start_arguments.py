"""The arguments of start_clipper and build_model."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import replace
from typing import Any

import pytest

from clipper_nomad.connection import ClipperConnection
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
    assert make_cluster_spec(**CLIPPER_DEFAULTS).over(None) == ClusterSpec()


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


RUNNING = ClusterSpec(3, 1_000, 7.0, 1.5, "q", "m")


def start_arguments(**given: Any) -> ClusterSpec:
    """Return the spec that start_clipper() makes of these arguments."""

    class Manager:
        cluster_name = "c"

        def start_clipper(self, spec: ClusterSpec) -> None:
            self.spec = spec

        def get_management_address(self) -> str:
            return "h:1"

    manager: Any = Manager()
    ClipperConnection(manager).start_clipper(**given)
    spec: ClusterSpec = manager.spec
    return spec


def test_settings_that_are_not_given_stay_as_they_run() -> None:
    assert start_arguments().over(RUNNING) == RUNNING
    assert start_arguments(num_frontend_replicas=2).over(RUNNING) == replace(RUNNING, num_query_frontends=2)
    changed = start_arguments(cache_size=7, qf_http_timeout_content=9).over(RUNNING)
    assert changed == replace(RUNNING, prediction_cache_bytes=7, body_timeout_s=9.0)


def test_a_default_that_is_given_wins() -> None:
    given = start_arguments(
        cache_size=33554432, qf_http_timeout_request=5, qf_http_timeout_content=300, num_frontend_replicas=1
    )
    assert given.over(RUNNING) == ClusterSpec(1, 33554432, None, None, "q", "m")


def test_a_new_cluster_gets_the_defaults() -> None:
    assert start_arguments().over(None) == ClusterSpec()


def test_the_signature_shows_the_defaults() -> None:
    shown = str(inspect.signature(ClipperConnection.start_clipper))
    for text in ("cache_size: 'int' = 33554432", "= 5,", "= 300,", "num_frontend_replicas: 'int' = 1"):
        assert text in shown
