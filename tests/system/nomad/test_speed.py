"""The time to a cluster's first answer on Nomad, the admin library's share of it, and Fabio's of a query.

Other work on the machine only makes a round slower: the first round within the limit counts, and is the last.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from clipper_nomad.images import ImageSettings
from clipper_nomad.types import ModelVersion
from tests.contract.nomad_harness import NomadHarness
from tests.support.frontends.cluster import predict
from tests.support.frontends.load import Connection, doubles_body
from tests.support.models import row_sums
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.serving import APP, Served

FIRST_PREDICTION_S = 30.0
ADDED_S = 1.0
FABIO_S = 0.0015
_ROUNDS = 3
_LATENCY_ROUNDS = 5
_QUERIES = 200
_PASSING_TIMEOUT_S = 60.0
_NANOSECONDS = 1e9
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Running:
    """A cluster that answers, and how long it took from start_clipper() to the first prediction."""

    served: Served
    first_prediction_s: float
    image: str


@pytest.fixture(scope="module")
def running(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with NomadHarness(nomad_cluster, image_settings) as harness:
        served = Served(harness, tmp_path_factory.mktemp("models"))
        start_s = time.monotonic()
        served.start()
        served.serve(row_sums())
        answer = predict(served.connection.get_query_addr(), APP, input=[1.0, 2.5])
        took_s = time.monotonic() - start_s
        assert (answer["output"], answer["default"]) == (3.5, False)
        yield Running(served, took_s, served.build(row_sums()))


def test_the_first_prediction_comes_soon(running: Running) -> None:
    print(f"from start_clipper() to the first prediction through Fabio: {running.first_prediction_s:.2f} s")
    assert running.first_prediction_s < FIRST_PREDICTION_S


def test_starting_takes_hardly_longer_than_nomad_takes(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path: Path
) -> None:
    def measure(_: int) -> float:
        with NomadHarness(nomad_cluster, image_settings) as harness:
            start = Served(harness, tmp_path).connection.start_clipper
            return measure_added_s("start_clipper()", harness, ["redis", "query", "rpc", "management"], start)

    assert any(measure(number) < ADDED_S for number in range(_ROUNDS))


def test_deploying_takes_hardly_longer_than_nomad_takes(running: Running) -> None:
    served = running.served

    def measure(number: int) -> float:
        model = ModelVersion("speed", f"round-{number}")

        def deploy() -> None:
            served.connection.deploy_model(model.name, model.version, "doubles", running.image)

        return measure_added_s("deploy_model()", served.harness, ["model"], deploy, model.version)

    assert any(measure(number) < ADDED_S for number in range(_ROUNDS))


async def test_fabio_adds_little_to_a_query(running: Running) -> None:
    served = running.served
    balanced, _, path = served.connection.get_query_addr().partition("/")
    direct = served.connection.get_metric_addr()
    ways = {direct: f"/{APP}/predict", balanced: f"/{path}/{APP}/predict"}
    assert len(ways) == 2
    connections = {address: Connection(address) for address in ways}
    for number in range(_LATENCY_ROUNDS):
        latencies_s: dict[str, list[float]] = {address: [] for address in ways}
        for query in range(_QUERIES):
            # In turns, so that both meet the same load; no input twice, so that the cache answers none.
            for turn, address in enumerate(ways):
                body = doubles_body((number * _QUERIES + query) * 2 + turn)
                answer = await connections[address].post(ways[address], body)
                assert not answer.is_default
                latencies_s[address].append(answer.latency_s)
        medians_s = {address: statistics.median(values) for address, values in latencies_s.items()}
        added_s = medians_s[balanced] - medians_s[direct]
        print(
            f"median latency: {medians_s[direct] * 1e3:.2f} ms, "
            f"through Fabio {medians_s[balanced] * 1e3:.2f} ms"
        )
        if added_s <= FABIO_S:
            break
    for connection in connections.values():
        await connection.close()
    assert added_s <= FABIO_S


def measure_added_s(
    what: str, harness: NomadHarness, services: list[str], act: Callable[[], Any], version: str = ""
) -> float:
    """Return the time of a call beyond Nomad's own, which is from its first job to the last passing service.

    A call that returns before that adds only what passes until it submits its job.
    """
    known = {job["ID"] for job in harness.jobs()}
    with ThreadPoolExecutor(len(services)) as pool:
        passing = [pool.submit(await_passing, harness, service, version) for service in services]
        called_s = time.time()
        act()
        returned_s = time.time()
        passed_s = max(each.result() for each in passing)
    submitted_s: float = (
        min(job["SubmitTime"] for job in harness.jobs() if job["ID"] not in known) / _NANOSECONDS
    )
    added_s: float = (submitted_s - called_s) + max(0.0, returned_s - passed_s)
    print(
        f"{what}: {returned_s - called_s:.2f} s, its job submitted after {submitted_s - called_s:.2f} s, all "
        f"passing after {passed_s - called_s:.2f} s: {added_s:.2f} s added"
    )
    return added_s


def await_passing(harness: NomadHarness, service: str, version: str) -> float:
    """Return the time at which Consul first had a passing instance of a service, and of a model's version."""
    url = f"{harness.place.site.consul_url}/v1/health/service/clipper-{harness.cluster_name}-{service}"
    index, end_s = "0", time.monotonic() + _PASSING_TIMEOUT_S
    with requests.Session() as session:
        while time.monotonic() < end_s:
            # Consul answers as soon as something has changed.
            answer = session.get(url, params={"passing": "1", "index": index, "wait": "5s"}, timeout=30)
            seen_s = time.time()
            if any(
                not version or each["Service"]["Meta"]["model_version"] == version for each in answer.json()
            ):
                return seen_s
            index = answer.headers["X-Consul-Index"]
    raise TimeoutError(f"{service} never passed its checks in Consul")
