"""Feedback over REST, with two query frontends: each kind is answered as documented, and counts once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.frontends.cluster import Cluster, RefusedError, predict, request
from tests.support.frontends.feedback_cluster import (
    ACCEPTED,
    DUPLICATE,
    ENSEMBLE,
    LATE,
    RIGHT,
    WRONG,
    add_app,
    counters,
    query,
    serve_two,
    update,
)
from tests.support.processes import eventually


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two frontends, two models, and applications that learn from them."""
    with Cluster(2) as started:
        serve_two(started)
        add_app(started, "vote", ENSEMBLE)
        add_app(started, "other", ENSEMBLE)
        add_app(started, "numbers", {"name": "mean", "loss": "absolute", "range": [0, 1]})
        add_app(started, "bandit", {"name": "epsilon_greedy", "loss": "zero_one"})
        add_app(started, "personal", {"name": "epsilon_greedy", "loss": "zero_one", "user_rounds": 5})
        add_app(started, "plain", "default", ["right"])
        yield started


def test_feedback_by_query_id_counts_once_whichever_frontend_it_goes_to(cluster: Cluster) -> None:
    here, elsewhere = cluster.frontends
    before = counters(cluster, "vote")
    for number in range(3):
        query_id = query(here, "vote", number + 0.25)
        assert update(elsewhere, "vote", query_id=query_id, label=RIGHT) == (200, ACCEPTED)
        assert update(here, "vote", query_id=query_id, label=RIGHT) == (200, DUPLICATE)
        assert update(elsewhere, "vote", query_id=query_id, label=RIGHT) == (200, DUPLICATE)
    added = counters(cluster, "vote") - before
    assert added == {"rounds": 3, "count:right": 3, "count:wrong": 3, "loss:wrong": 3_000_000}


def test_feedback_for_what_nobody_answered_is_late(cluster: Cluster) -> None:
    frontend = cluster.frontend
    query_id = query(frontend, "vote")
    never_given = query_id + 1_000_000
    of_nobody = (2**21 - 1) << 32
    for unknown in (never_given, of_nobody):
        assert update(frontend, "vote", query_id=unknown, label=RIGHT) == (200, LATE)


def test_the_default_policy_remembers_nothing(cluster: Cluster) -> None:
    query_id = query(cluster.frontend, "plain")
    assert update(cluster.frontend, "plain", query_id=query_id, label=RIGHT) == (200, LATE)
    received = update(cluster.frontend, "plain", uid=0, input=[1.0], label=1.0)
    assert received == (200, "Feedback received? 1")


@pytest.mark.parametrize("sent_to", [0, 1])
def test_unfit_feedback_gets_the_reason_and_may_come_again(cluster: Cluster, sent_to: int) -> None:
    frontend = cluster.frontends[sent_to]
    query_id = query(cluster.frontend, "numbers")
    status, answer = update(frontend, "numbers", query_id=query_id, label="cat")
    assert status == 400
    assert "must be one" in answer["cause"]
    status, answer = update(frontend, "vote", query_id=query_id, label=RIGHT)
    assert status == 400
    assert "'numbers'" in answer["cause"]
    assert update(frontend, "numbers", query_id=query_id, label=0.5) == (200, ACCEPTED)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[1]", b'{"query_id":-1,"label":1}', b'{"query_id":1}', b'{"query_id":"x","label":1}'],
)
def test_malformed_feedback_is_refused(cluster: Cluster, body: bytes) -> None:
    status, _ = request(cluster.frontend.rest, "POST", "/vote/update", body)
    assert status == 400


def test_feedback_for_an_unknown_application_is_refused(cluster: Cluster) -> None:
    assert update(cluster.frontend, "nothing", query_id=1, label=1)[0] == 404


def test_the_admin_port_refuses_what_it_cannot_read_and_the_rest_port_offers_no_handover(
    cluster: Cluster,
) -> None:
    frontend = cluster.frontend
    assert request(frontend.admin, "POST", "/feedback", b'{"feedback":[[1]]}')[0] == 400
    assert request(frontend.admin, "POST", "/feedback", b'{"feedback":[]}') == (200, b'{"answers":[]}')
    assert request(frontend.rest, "POST", "/feedback", b'{"feedback":[]}')[0] == 404


def test_clippers_form_learns_from_all_models_and_from_the_cache(cluster: Cluster) -> None:
    frontend = cluster.frontend
    query(frontend, "other", 77.0)
    metrics_before = _answered_batches(frontend.admin)
    for _ in range(2):
        received = update(frontend, "other", uid=7, input=[77.0], label=RIGHT)
        assert received == (200, "Feedback received? 1")
    assert counters(cluster, "other") == {
        "rounds": 2,
        "count:right": 2,
        "loss:right": 0,
        "count:wrong": 2,
        "loss:wrong": 2_000_000,
    }
    assert _answered_batches(frontend.admin) == metrics_before
    assert update(frontend, "other", uid=7, input=[78.0], label=RIGHT)[0] == 200
    assert _answered_batches(frontend.admin) == metrics_before + 2
    assert counters(cluster, "other")["count:right"] == 3


def test_without_its_models_an_application_takes_feedback_and_learns_nothing(cluster: Cluster) -> None:
    add_app(cluster, "unlinked", ENSEMBLE)
    query_id = query(cluster.frontend, "unlinked")
    cluster.admin("delete_model_links", app_name="unlinked", model_names=["right", "wrong"])

    def is_unlinked() -> bool:
        answer = predict(cluster.frontend.rest, "unlinked", input=[1.0])
        return bool(answer.get("default_reason") == "no_model")

    eventually(is_unlinked, "the links are gone")
    received = update(cluster.frontend, "unlinked", uid=7, input=[9.0], label=RIGHT)
    assert received == (200, "Feedback received? 1")
    assert counters(cluster, "unlinked") == {}
    assert update(cluster.frontend, "unlinked", query_id=query_id, label=RIGHT) == (200, ACCEPTED)
    assert counters(cluster, "unlinked")["rounds"] == 1


def test_both_frontends_learn_which_model_is_right_from_feedback_to_either(cluster: Cluster) -> None:
    here, elsewhere = cluster.frontends
    for number in range(60):
        query_id = query(here, "bandit", float(number))
        assert update(elsewhere, "bandit", query_id=query_id, label=RIGHT) == (200, ACCEPTED)

    def prefers_the_right_one(rest: str) -> bool:
        answers = [predict(rest, "bandit", input=[1000.0 + n])["output"] for n in range(20)]
        return answers.count(RIGHT) >= 16

    for frontend in cluster.frontends:
        rest = frontend.rest
        eventually(lambda rest=rest: prefers_the_right_one(rest), f"{frontend.name} has learnt")  # type: ignore[misc]


def test_a_user_for_whom_another_model_is_right_gets_that_one(cluster: Cluster) -> None:
    here, elsewhere = cluster.frontends
    for number in range(120):
        contrary = number >= 100
        user = {"user_id": "contrary"} if contrary else {}
        query_id = query(here, "personal", 2000.0 + number, **user)
        label = WRONG if contrary else RIGHT
        assert update(elsewhere, "personal", query_id=query_id, label=label) == (200, ACCEPTED)
    assert counters(cluster, "personal", "contrary")["rounds"] == 20
    assert counters(cluster, "personal")["rounds"] == 120

    def answers(number: int, **user: str) -> list[dict[str, Any]]:
        return [predict(elsewhere.rest, "personal", input=[number + n], **user) for n in range(20)]

    def mostly(output: int, given: list[dict[str, Any]]) -> bool:
        return [answer["output"] for answer in given].count(output) >= 15

    eventually(lambda: mostly(RIGHT, answers(3000)), "all others follow the application's state")

    def follows_its_own() -> bool:
        # The user keeps giving feedback: a model that was never tried cannot be known to be better.
        given = answers(4000, user_id="contrary")
        for answer in given:
            update(elsewhere, "personal", query_id=answer["query_id"], label=WRONG)
        return mostly(WRONG, given)

    eventually(follows_its_own, "the user's own state is followed")


def test_a_user_id_that_is_none_is_refused(cluster: Cluster) -> None:
    with pytest.raises(RefusedError) as refused:
        predict(cluster.frontend.rest, "bandit", input=[1.0], user_id=[1])
    assert refused.value.status == 400


def _answered_batches(admin: str) -> float:
    """Return how many batches models have answered to this frontend."""
    _, text = request(admin, "GET", "/metrics")
    lines = [line for line in text.decode().splitlines() if line.startswith("clipper_batch_size_count")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_ids_that_are_guessed_hit_nothing_are_counted_and_end_in_a_refusal() -> None:
    with Cluster(2) as guessed:
        serve_two(guessed)
        add_app(guessed, "vote", ENSEMBLE)
        here, elsewhere = guessed.frontends
        mine = query(here, "vote")
        others = {query(here, "vote", float(number)) for number in range(50)}
        assert not others & {mine + step for step in range(-1000, 1000)}
        # At the frontend that gave the answers, and at one that hands the guesses over.
        for frontend in (here, elsewhere):
            answers = [update(frontend, "vote", query_id=mine + 1 + n, label=RIGHT) for n in range(40)]
            assert {status for status, _ in answers[:25]} == {200}
            assert all(answer == LATE for status, answer in answers if status == 200)
            status, refusal = answers[-1]
            assert status == 429
            assert refusal["error"] == "Too many wrong query ids"
            assert update(frontend, "vote", query_id=mine, label=RIGHT)[0] == 429
        assert not counters(guessed, "vote")
        metrics = request(here.rest, "GET", "/metrics")[1].decode()
        (line,) = [one for one in metrics.splitlines() if one.startswith("clipper_wrong_query_ids_total")]
        assert float(line.split()[1]) >= 60
