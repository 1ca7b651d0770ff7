"""A query frontend that has just started, and the queries that come before its replicas."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.support.frontends.cluster import Cluster, request
from tests.support.models import row_sums
from tests.support.processes import QueryFrontend, eventually

BODY = b'{"input": [1.0, 2.0]}'
#: Where containers reach nobody.
NOWHERE = ("--advertise-rpc", "127.0.0.1:9")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        running.serve(row_sums(), slo_s=5.0)
        running.add_app("quick", slo_s=0.1)
        running.link("quick", "model")
        running.add_app("other")
        yield running


def _ask(frontend: QueryFrontend, app: str = "app") -> tuple[int, dict[str, object]]:
    status, answer = request(frontend.rest, "POST", f"/{app}/predict", BODY)
    return status, json.loads(answer)


def _start(cluster: Cluster, *arguments: str) -> QueryFrontend:
    """Start another query frontend; return it once it has followed the registry."""
    frontend = cluster.start_frontend(*arguments)
    eventually(lambda: _ask(frontend, "unknown")[0] == 404, "the registry to be followed")
    return frontend


def test_no_query_gets_a_default_answer_before_the_frontend_is_ready(cluster: Cluster) -> None:
    frontend = cluster.start_frontend()
    answers = [_ask(frontend)]
    while answers[-1][0] != 200:
        answers.append(_ask(frontend))
    assert answers[-1][1]["output"] == 3.0
    assert {answer["error"] for _, answer in answers[:-1]} <= {"Not ready"}
    eventually(lambda: request(frontend.rest, "GET", "/health/ready")[0] == 200, "readiness")


@pytest.mark.parametrize("app", ["app", "quick"])
def test_a_query_that_would_wait_too_long_is_to_come_back(cluster: Cluster, app: str) -> None:
    frontend = _start(cluster, *NOWHERE)
    began_s = time.perf_counter()
    status, answer = _ask(frontend, app)
    assert (status, answer.get("error")) == (503, "Not ready"), answer
    assert time.perf_counter() - began_s < 4.0
    assert request(frontend.rest, "GET", "/health/ready")[0] == 503
    frontend.kill()


def test_an_application_that_needs_no_replica_is_answered_at_once(cluster: Cluster) -> None:
    frontend = _start(cluster, *NOWHERE)
    status, answer = _ask(frontend, "other")
    assert (status, answer["default_reason"]) == (200, "no_model")
    frontend.kill()


def test_a_frontend_without_replicas_to_wait_for_is_ready_at_once() -> None:
    with Cluster() as cluster:
        cluster.add_app("other")
        cluster.wait_until_known(cluster.frontend, "other")
        assert _ask(cluster.frontend, "other")[1]["default_reason"] == "no_model"
        assert request(cluster.frontend.rest, "GET", "/health/ready")[0] == 200
