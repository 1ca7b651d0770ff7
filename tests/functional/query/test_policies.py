"""Changes of policies, weights and links under queries: they hold everywhere once the call returns."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.frontends.cluster import Cluster, predict, request
from tests.support.models import constant

REPEATED = 25


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two query frontends and the models `one` and `two`, which answer 1 and 2; no application yet."""
    with Cluster(2) as running:
        for output, name in enumerate(("one", "two"), start=1):
            running.start_container(constant(str(output)), name)
            running.add_model(name)
        yield running


def outputs(cluster: Cluster, app: str) -> list[Any]:
    """Return the present answer of each query frontend."""
    return [predict(frontend.rest, app, input=[1.0])["output"] for frontend in cluster.frontends]


def add_app(cluster: Cluster, name: str, policy: Any, *models: str) -> None:
    cluster.add_app(name, slo_s=5.0)
    cluster.admin("set_policy", app_name=name, policy=policy)
    cluster.admin("add_model_links", app_name=name, model_names=list(models))
    for frontend in cluster.frontends:
        cluster.wait_until_served(frontend, name)


def while_queried(cluster: Cluster, app: str, change: Callable[[], None]) -> list[dict[str, Any]]:
    """Make changes while every query frontend is queried all the time, and return all answers."""
    answers: list[dict[str, Any]] = []
    done = threading.Event()

    def query(address: str) -> None:
        while not done.is_set():
            answers.append(predict(address, app, input=[1.0]))

    threads = [threading.Thread(target=query, args=(frontend.rest,)) for frontend in cluster.frontends]
    for thread in threads:
        thread.start()
    try:
        change()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return answers


def test_a_policy_that_was_set_answers_everywhere_at_once(cluster: Cluster) -> None:
    def change() -> None:
        for _ in range(REPEATED):
            weights = {"name": "split", "arms": {"one": 0, "two": 1}}
            cluster.admin("set_policy", app_name="set", policy=weights)
            assert outputs(cluster, "set") == [2, 2]
            primary = {"name": "shadow", "parameters": {"primary": "one"}}
            cluster.admin("set_policy", app_name="set", policy=primary)
            assert outputs(cluster, "set") == [1, 1]

    add_app(cluster, "set", "split", "one", "two")
    answers = while_queried(cluster, "set", change)
    assert answers
    assert not any(answer["default"] for answer in answers)


def test_no_query_notices_that_arms_come_and_go(cluster: Cluster) -> None:
    def change() -> None:
        for _ in range(REPEATED):
            cluster.admin("add_model_links", app_name="linked", model_names=["two"], weights=[1e9])
            assert outputs(cluster, "linked") == [2, 2]
            cluster.admin("delete_model_links", app_name="linked", model_names=["two"])
            assert outputs(cluster, "linked") == [1, 1]

    add_app(cluster, "linked", {"name": "split", "arms": {"one": 1e-9}}, "one")
    answers = while_queried(cluster, "linked", change)
    assert {answer["output"] for answer in answers} == {1, 2}
    assert not any(answer["default"] for answer in answers)


def test_the_default_policy_pins_a_version(cluster: Cluster) -> None:
    add_app(cluster, "pinned", {"name": "default", "arms": ["one:1"]}, "one")
    answer = predict(cluster.frontend.rest, "pinned", input=[1.0])
    assert (answer["output"], answer["models"]) == (1, ["one:1"])
    cluster.admin("set_policy", app_name="pinned", policy={"name": "default", "arms": ["one:9"]})
    answer = predict(cluster.frontend.rest, "pinned", input=[1.0])
    assert (answer["default"], answer["default_reason"]) == (True, "no_model")


def test_an_arm_that_is_not_linked_is_reported(cluster: Cluster) -> None:
    add_app(cluster, "early", {"name": "split", "arms": ["one"]}, "one")
    cluster.admin("set_policy", app_name="early", policy={"name": "split", "arms": ["one", "two"]})
    answer = predict(cluster.frontend.rest, "early", input=[1.0])
    assert answer["default_reason"] == "no_model"
    assert "names models that are not linked to it: two" in answer["default_detail"]
    cluster.admin("add_model_links", app_name="early", model_names=["two"])
    assert not predict(cluster.frontend.rest, "early", input=[1.0])["default"]


def test_the_management_frontend_reports_feedback(cluster: Cluster) -> None:
    policy = {"name": "epsilon_greedy", "half_life_s": None}
    add_app(cluster, "learning", policy, "one", "two")
    for number in range(40):
        frontend = cluster.frontends[number % 2]
        answer = predict(frontend.rest, "learning", input=[float(number)], user_id="anna")
        body = json.dumps({"query_id": answer["query_id"], "label": 2, "user_id": "anna"}).encode()
        status, text = request(frontend.rest, "POST", "/learning/update", body)
        assert (status, json.loads(text)) == (200, {"feedback": "accepted"})
    state = cluster.admin("get_policy_state", app_name="learning")
    arms = state["arms"]
    assert (state["feedback"], sum(arm["feedback"] for arm in arms.values())) == (40.0, 40.0)
    assert {name: arm["mean_loss"] for name, arm in arms.items() if arm["feedback"]}.get("two", 0.0) == 0.0
    assert arms["two"]["share"] > arms["one"]["share"]
    assert cluster.admin("get_policy_state", app_name="learning", user_id="anna")["own_feedback"] == 40.0
    assert cluster.admin("get_policy_state", app_name="learning", user_id="bert")["own_feedback"] == 0.0
