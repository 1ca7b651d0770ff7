"""Policies at work on two query frontends: real models, one of them a straggler."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from tests.support.frontends.cluster import Cluster, RefusedError, predict, request
from tests.support.processes import QueryFrontend, eventually

SLO_S = 0.4
#: How late an answer may be on a busy machine, beyond the SLO; no answer waits for the straggler then.
SLACK_S = 0.4
STRAGGLES_S = 1.0
_FRONTENDS_DB = 4
_inputs = itertools.count(1)


def _constant(output: str, seconds: float = 0.0) -> Callable[[Any], Sequence[Any]]:
    def model(inputs: Any) -> list[str]:
        time.sleep(seconds)
        return [output] * len(inputs)

    return model


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two frontends, two versions of the model `a`, `b`, and `slow`."""
    with Cluster(2) as started:
        for name, version, output in (("a", "1", "1"), ("a", "2", "2"), ("b", "1", "4")):
            started.add_model(name, version)
            started.start_container(_constant(output), name, version)
        started.add_model("slow")
        started.start_container(_constant("1000", STRAGGLES_S), "slow")
        yield started


def add_app(cluster: Cluster, name: str, policy: Any, models: Sequence[str], slo_s: float = SLO_S) -> None:
    """Register an application with a policy and link it, and return once every frontend answers."""
    cluster.admin(
        "add_app",
        name=name,
        input_type="doubles",
        default_output="-1.0",
        latency_slo_micros=round(slo_s * 1e6),
        policy=policy,
    )
    cluster.admin("add_model_links", app_name=name, model_names=list(models))
    for frontend in cluster.frontends:
        cluster.wait_until_served(frontend, name)


def ask(frontend: QueryFrontend, app: str, **more: Any) -> dict[str, Any]:
    """Ask for an input that nobody asked for before."""
    return predict(frontend.rest, app, input=[float(next(_inputs))], **more)


def metric(frontend: QueryFrontend, name: str, app: str, arm: str) -> float:
    """Return one arm's metric."""
    text = request(frontend.rest, "GET", "/metrics")[1].decode()
    start = f'{name}{{app="{app}",arm="{arm}"}} '
    return float(next(line for line in text.splitlines() if line.startswith(start)).removeprefix(start))


def test_split_is_sticky_on_all_frontends_and_its_weights_change_live(cluster: Cluster) -> None:
    add_app(cluster, "canary", {"name": "split", "arms": {"a:1": 3, "a:2": 1}}, ["a"])
    users = [f"user{number}" for number in range(60)]
    versions = {}
    for user in users:
        answers = [ask(frontend, "canary", user_id=user) for frontend in cluster.frontends]
        versions[user], other = (answer["models"][0] for answer in answers)
        assert versions[user] == other
        assert answers[0]["output"] == int(other.removeprefix("a:"))
    shares = Counter(versions.values())
    # 60 draws with a probability of 3/4: five standard deviations.
    assert 28 <= shares["a:1"] <= 60 - 1

    cluster.admin("set_policy", app_name="canary", policy={"name": "split", "arms": {"a:1": 1, "a:2": 3}})
    moved = next(user for user in users if versions[user] == "a:2")
    eventually(lambda: ask(cluster.frontend, "canary", user_id=moved)["models"] == ["a:2"], "the new weights")
    now = {user: ask(cluster.frontend, "canary", user_id=user)["models"][0] for user in users}
    assert all(now[user] == "a:2" for user in users if versions[user] == "a:2"), "its share grew"
    assert Counter(now.values())["a:2"] > shares["a:2"]

    cluster.admin("set_policy", app_name="canary", policy={"name": "split", "arms": {"a:1": 1, "a:2": 0}})
    eventually(lambda: ask(cluster.frontend, "canary", user_id=moved)["models"] == ["a:1"], "none for a:2")


def test_an_ensemble_answers_at_the_slo_without_its_straggler(cluster: Cluster) -> None:
    add_app(cluster, "mean", {"name": "mean"}, ["a", "b", "slow"])
    for _ in range(5):
        asked_at = time.monotonic()
        answer = ask(cluster.frontend, "mean")
        assert time.monotonic() - asked_at < SLO_S + SLACK_S
        assert (answer["output"], answer["default"], answer["missing"]) == (3.0, False, ["slow"])
        assert answer["models"] == ["a:2", "b:1"]
        assert 0 < answer["confidence"] < 2 / 3
    assert metric(cluster.frontend, "clipper_selection_missing_total", "mean", "slow") >= 5
    assert metric(cluster.frontend, "clipper_selection_chosen_total", "mean", "b") >= 5
    assert metric(cluster.frontend, "clipper_selection_weight", "mean", "b") == pytest.approx(1 / 3)


def test_an_ensemble_waits_for_all_where_the_slo_lets_it(cluster: Cluster) -> None:
    add_app(cluster, "patient", {"name": "mean"}, ["b", "slow"], slo_s=4 * STRAGGLES_S)
    answer = ask(cluster.frontend, "patient")
    assert (answer["output"], answer["missing"]) == (502.0, [])


def test_a_batch_is_answered_input_by_input(cluster: Cluster) -> None:
    add_app(cluster, "batches", {"name": "majority_vote"}, ["a", "b"])
    inputs = [[float(next(_inputs))] for _ in range(3)]
    answers = predict(cluster.frontend.rest, "batches", input_batch=inputs)["batch_predictions"]
    assert [answer["models"] for answer in answers] == [["a:2", "b:1"]] * 3
    assert len({answer["query_id"] for answer in answers}) == 3


def test_low_confidence_gives_the_default(cluster: Cluster) -> None:
    policy = {"name": "majority_vote", "parameters": {"min_confidence": 0.9}}
    add_app(cluster, "unsure", policy, ["a", "b"])
    answer = ask(cluster.frontend, "unsure")
    assert (answer["output"], answer["default_reason"]) == (-1.0, "low_confidence")
    assert (answer["confidence"], answer["models"]) == (0.5, ["a:2", "b:1"])


def test_shadows_only_watch(cluster: Cluster) -> None:
    add_app(cluster, "watched", {"name": "shadow", "parameters": {"primary": "b"}}, ["a", "b", "slow"])
    before = metric(cluster.frontend, "clipper_selection_shadowed_total", "watched", "slow")
    for _ in range(5):
        asked_at = time.monotonic()
        answer = ask(cluster.frontend, "watched")
        assert time.monotonic() - asked_at < SLO_S
        assert (answer["output"], answer["models"]) == (4, ["b:1"])
    after = metric(cluster.frontend, "clipper_selection_shadowed_total", "watched", "slow")
    assert after - before == 5


def test_a_version_is_refused_where_several_models_are_linked(cluster: Cluster) -> None:
    add_app(cluster, "several", {"name": "exp3"}, ["a", "b"])
    with pytest.raises(RefusedError) as refusal:
        ask(cluster.frontend, "several", version="1")
    assert refusal.value.status == 400
    assert "is linked to several models: a, b" in refusal.value.text


def test_a_policy_whose_models_are_not_linked_yet_says_so(cluster: Cluster) -> None:
    cluster.admin(
        "add_app",
        name="early",
        input_type="doubles",
        default_output="-1.0",
        latency_slo_micros=100_000,
        policy={"name": "split", "arms": {"a": 1, "b": 1}},
    )
    for frontend in cluster.frontends:
        cluster.wait_until_known(frontend, "early")
    answer = ask(cluster.frontend, "early")
    assert answer["default_reason"] == "no_model"
    assert "not linked to it: a, b" in answer["default_detail"]


def test_query_ids_differ_between_frontends_and_tell_which_one_gave_them(cluster: Cluster) -> None:
    add_app(cluster, "ids", "default", ["b"])
    ids = {
        frontend.id: [ask(frontend, "ids")["query_id"] for _ in range(5)] for frontend in cluster.frontends
    }
    assert all(0 <= query_id < 2**53 for given in ids.values() for query_id in given)
    with redis.Redis.from_url(f"redis://{cluster.redis.address}", db=_FRONTENDS_DB) as store:
        for frontend_id, given in ids.items():
            numbers = store.hget(f"QUERY_FRONTEND:{frontend_id}", "numbers")
            assert isinstance(numbers, bytes)
            assert {str(query_id >> 32) for query_id in given} <= set(numbers.decode().split(","))
    assert not set(ids[cluster.frontends[0].id]) & set(ids[cluster.frontends[1].id])


def test_users_are_named_by_clippers_uid_too_and_odd_ones_are_refused(cluster: Cluster) -> None:
    add_app(cluster, "users", {"name": "split", "arms": {"a": 1, "b": 1}}, ["a", "b"])
    for user in range(10):
        by_uid, by_user_id, by_text = (
            ask(cluster.frontend, "users", **{key: value})["models"]
            for key, value in (("uid", user), ("user_id", user), ("user_id", str(user)))
        )
        assert by_uid == by_user_id == by_text
    for odd in ("", "x" * 257, 1.5, [1]):
        body = json.dumps({"input": [1.0], "user_id": odd}).encode()
        status, text = request(cluster.frontend.rest, "POST", "/users/predict", body)
        assert (status, b"user_id" in text) == (400, True)


def test_a_bandit_learns_which_model_is_right(cluster: Cluster) -> None:
    add_app(cluster, "bandit", {"name": "exp3", "loss": "zero_one"}, ["a", "b"])
    here, elsewhere = cluster.frontends
    for number in range(150):
        query_id = ask(here, "bandit")["query_id"]
        body = json.dumps({"query_id": query_id, "label": 4}).encode()
        sent_to = elsewhere if number % 2 else here
        assert request(sent_to.rest, "POST", "/bandit/update", body) == (200, b'{"feedback":"accepted"}')
    eventually(
        lambda: all(
            metric(frontend, "clipper_selection_weight", "bandit", "b") > 0.7
            for frontend in cluster.frontends
        ),
        "both frontends to prefer the model that is right",
    )
    # 200 draws with a probability of 0.7 at least: four standard deviations, and two above that of 1/2.
    chosen = Counter(ask(elsewhere, "bandit")["models"][0] for _ in range(200))
    assert chosen["b:1"] > 114
    right = metric(here, "clipper_selection_reward_total", "bandit", "b")
    assert right == metric(here, "clipper_selection_measured_total", "bandit", "b") > 0
    assert metric(here, "clipper_selection_reward_total", "bandit", "a") == 0


def test_policies_go_on_while_redis_is_away() -> None:
    with Cluster() as started:
        for name, output in (("a", "1"), ("b", "3")):
            started.add_model(name)
            started.start_container(_constant(output), name)
        add_app(started, "mean", {"name": "mean"}, ["a", "b"])
        add_app(started, "bandit", {"name": "thompson"}, ["a", "b"])
        started.redis.kill()
        assert ask(started.frontend, "mean")["output"] == 2.0
        answer = ask(started.frontend, "bandit")
        assert answer["default"] is False
        body = json.dumps({"query_id": answer["query_id"], "label": 1}).encode()
        assert request(started.frontend.rest, "POST", "/bandit/update", body)[0] == 503
