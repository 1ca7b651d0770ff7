"""Options of a model version, as query frontends follow them: the form of outputs, the cache."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.frontends.cluster import Cluster, predict, request
from tests.support.processes import eventually

LABELS = ["1", "01", "null", "true", "cat"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(2) as running:
        yield running


def labels() -> Callable[[Any], list[str]]:
    """Return a model that answers with the label of each input's number."""

    def classify(inputs: Any) -> list[str]:
        return [["1", "01", "null", "true", "cat"][int(row[0])] for row in inputs]

    return classify


def counter() -> Callable[[Any], list[int]]:
    """Return a model that never gives the same output twice."""
    numbers = itertools.count()

    def count(inputs: Any) -> list[int]:
        return [next(numbers) for _ in inputs]

    return count


def serve(cluster: Cluster, name: str, function: Callable[[Any], Any], **options: Any) -> None:
    """Serve a model under an application of its name."""
    cluster.add_app(name, slo_s=5.0)
    cluster.start_container(function, name)
    model = {"model_name": name, "model_version": "1", "labels": [], "input_type": "doubles"}
    registration = {"container_name": "", "model_data_path": "", "batch_size": -1, **options}
    cluster.admin("add_model", **model, **registration)
    cluster.link(name, name)
    for frontend in cluster.frontends:
        cluster.wait_until_served(frontend, name)


def answer(cluster: Cluster, app: str, frontend: int = 0) -> Any:
    return predict(cluster.frontends[frontend].rest, app, input=[1.0])["output"]


def test_labels_come_back_as_the_texts_that_the_model_gave(cluster: Cluster) -> None:
    serve(cluster, "texts", labels(), output_type="string")
    rest = cluster.frontend.rest
    for _ in range(2):  # from the model, then from the cache
        singles = [predict(rest, "texts", input=[float(n)])["output"] for n in range(len(LABELS))]
        assert singles == LABELS
    body = json.dumps({"input_batch": [[float(n)] for n in range(len(LABELS))]}).encode()
    status, text = request(cluster.frontends[1].rest, "POST", "/texts/predict", body)
    assert status == 200
    assert [each["output"] for each in json.loads(text)["batch_predictions"]] == LABELS


def test_labels_are_json_values_by_default_as_in_clipper(cluster: Cluster) -> None:
    serve(cluster, "values", labels())
    outputs = [predict(cluster.frontend.rest, "values", input=[float(n)])["output"] for n in range(5)]
    assert outputs == [1, "01", None, True, "cat"]


def test_a_model_that_keeps_nothing_is_asked_each_time(cluster: Cluster) -> None:
    serve(cluster, "uncached", counter(), cache_ttl_s=0)
    assert len({answer(cluster, "uncached") for _ in range(5)}) == 5


def test_outputs_are_asked_anew_after_their_lifetime(cluster: Cluster) -> None:
    serve(cluster, "shortlived", counter(), cache_ttl_s=0.2)
    first = answer(cluster, "shortlived")
    eventually(lambda: answer(cluster, "shortlived") != first, "the model is asked again")


def test_a_purge_reaches_every_query_frontend_before_it_returns(cluster: Cluster) -> None:
    serve(cluster, "purged", counter())
    before = [answer(cluster, "purged", frontend) for frontend in (0, 1)]
    assert [answer(cluster, "purged", frontend) for frontend in (0, 1)] == before
    for _ in range(3):
        cluster.admin("purge_cache", model_name="purged", model_version="1")
        after = [answer(cluster, "purged", frontend) for frontend in (0, 1)]
        assert not set(after) & set(before)
        assert [answer(cluster, "purged", frontend) for frontend in (0, 1)] == after
        before = after


def test_a_purge_of_one_replica_reaches_every_query_frontend_and_lasts(cluster: Cluster) -> None:
    serve(cluster, "bad", counter())
    before = [answer(cluster, "bad", frontend) for frontend in (0, 1)]
    purge = {"model_name": "bad", "model_version": "1"}
    cluster.admin("purge_cache", **purge, instance_id="another")
    assert [answer(cluster, "bad", frontend) for frontend in (0, 1)] == before
    (replica,) = (
        each for each in cluster.admin("get_all_containers", verbose=True) if each["model_name"] == "bad"
    )
    for number in range(102):
        cluster.admin("purge_cache", **purge, instance_id=f"{number}")
    cluster.admin("purge_cache", **purge, instance_id=replica["instance_id"])
    answers = [answer(cluster, "bad", frontend) for frontend in (0, 1, 0, 1)]
    assert len({*answers, *before}) == 6


def test_a_purge_of_one_version_leaves_the_others(cluster: Cluster) -> None:
    serve(cluster, "spared", counter())
    serve(cluster, "hit", counter())
    before = answer(cluster, "spared")
    cluster.admin("purge_cache", model_name="hit", model_version="1")
    assert answer(cluster, "spared") == before
