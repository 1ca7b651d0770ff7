"""The query path's core in virtual time: the rules of serving, one by one."""

from __future__ import annotations

import itertools
import random
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_frontend.registry.keys import Database
from clipper_frontend.registry.records import OnDefault, OutputType
from tests.unit.query.simulation import SimulatedReply, Simulation, cluster


def test_a_query_is_answered_by_the_model() -> None:
    simulation = cluster()
    simulation.replica()
    reply = simulation.ask(2.5)
    simulation.run_until(0.05)
    assert reply.answer == {"query_id": 0, "output": 2.5, "default": False, "models": ["model:1"]}


def test_reasons_for_defaults_before_a_model_is_asked() -> None:
    simulation = Simulation()
    simulation.application()
    assert simulation.ask(1.0).reason == "no_model"
    simulation.model()
    simulation.link()
    reply = simulation.ask(1.0)
    assert reply.reason == "no_replica"
    assert reply.answer["default_explanation"] == "No connected models found for query"
    assert reply.answer["output"] == -1.0


def test_a_model_without_a_current_version_names_those_that_are_left() -> None:
    simulation = cluster()
    for version in ("2", "3"):
        simulation.model(version)
    simulation.registry(Database.METADATA, "CURRENT_MODEL_VERSION:model", None)
    simulation.registry(Database.MODELS, "model:3", None)
    reply = simulation.ask(1.0)
    assert reply.reason == "no_model"
    assert reply.answer["default_detail"] == (
        "model 'model' has no current version: choose one of 1, 2 with set_model_version"
    )
    simulation.registry(Database.METADATA, "CURRENT_MODEL_VERSION:model", "2")
    assert simulation.ask(1.0).reason == "no_replica"
    for version in ("1", "2"):
        simulation.registry(Database.MODELS, f"model:{version}", None)
    assert "default_detail" not in simulation.ask(1.0).answer


def test_a_model_of_very_many_versions_is_described_briefly() -> None:
    simulation = cluster()
    for number in range(100, 400):
        simulation.model(str(number))
    simulation.registry(Database.METADATA, "CURRENT_MODEL_VERSION:model", None)
    detail = simulation.ask(1.0).answer["default_detail"]
    assert "choose one of 1, 100, 101, " in detail
    assert " … with set_model_version" in detail
    assert len(detail) < 150


@pytest.mark.parametrize("policy", ["split", "mean"])
def test_an_arm_without_a_current_version_names_those_that_are_left(policy: str) -> None:
    simulation = cluster(policy={"name": policy})
    simulation.registry(Database.METADATA, "CURRENT_MODEL_VERSION:model", None)
    detail = simulation.ask(1.0).answer["default_detail"]
    assert detail == "model 'model' has no current version: choose one of 1 with set_model_version"


def test_a_version_that_a_policy_names_and_that_is_gone_is_reported() -> None:
    simulation = cluster(policy={"name": "default", "arms": ["model:7"]})
    detail = simulation.ask(1.0).answer["default_detail"]
    assert detail == (
        "version '7' of model 'model' is not registered: name one of 1 in the policy with set_policy"
    )


def test_a_model_that_sleeps_for_ever_is_answered_for_at_the_slo() -> None:
    simulation = cluster(slo_s=0.02)
    simulation.replica(lambda n: 1e9)
    replies = [simulation.ask(float(n)) for n in range(10)]
    simulation.run_until(0.1)
    assert all(reply.reason == "timeout" for reply in replies)
    assert all(0.02 <= reply.latency_s <= 0.023 for reply in replies)


@pytest.mark.parametrize("policy", [None, {"name": "mean"}, {"name": "split"}])
def test_the_time_that_a_query_waited_to_be_read_counts(policy: dict[str, str] | None) -> None:
    simulation = cluster(slo_s=0.1, policy=policy)
    simulation.replica(lambda n: 1e9)
    replies = [simulation.ask(1.0), simulation.ask(2.0, waited_s=0.06)]
    simulation.run_until(1.0)
    assert [reply.reason for reply in replies] == ["timeout", "timeout"]
    assert [round(reply.latency_s, 2) for reply in replies] == [0.1, 0.04]
    assert not any("late" in reply.answer for reply in replies)


@pytest.mark.parametrize("on_default", [OnDefault.DEFAULT, OnDefault.ERROR])
def test_an_answer_that_is_late_says_so_whatever_it_is(on_default: OnDefault) -> None:
    simulation = cluster(slo_s=0.1, cache_bytes=10_000, on_default=on_default)
    simulation.replica()
    simulation.ask(1.0)
    simulation.run_until(0.05)
    cached = simulation.ask(1.0, waited_s=0.3)
    missed = simulation.ask(2.0, waited_s=0.3)
    assert (cached.answer["output"], cached.answer["late"]) == (1.0, True)
    assert (missed.reason, missed.answer["late"]) == ("timeout", True)
    assert simulation.routes.applications["app"].statistics.late_answers == 2
    in_time = simulation.ask(1.0, waited_s=0.09)
    assert "late" not in in_time.answer


def abandon(reply: SimulatedReply) -> None:
    """Let the client of a query go."""
    assert reply.work is not None
    reply.work.abandon()


@pytest.mark.parametrize("policy", [None, {"name": "mean"}, {"name": "split"}])
def test_queries_whose_client_has_gone_leave_the_queue_before_the_next_batch(
    policy: dict[str, str] | None,
) -> None:
    simulation = cluster(slo_s=10.0, policy=policy)
    replica = simulation.replica(lambda n: 1.0)
    gone = [simulation.ask(float(n)) for n in range(20)]
    simulation.run_until(0.5)
    sent = sum(map(len, replica.batches))
    assert sent < 20
    living = simulation.ask(99.0)
    for reply in gone:
        abandon(reply)
    simulation.run_until(9.0)
    assert sum(map(len, replica.batches)) == sent + 1
    assert living.answer["output"] == 99.0
    assert all(reply.answered_at is None for reply in gone)
    statistics = simulation.routes.applications["app"].statistics
    assert (statistics.abandoned, statistics.defaults) == (20, {})


def test_a_query_that_was_joined_is_run_for_those_who_still_wait() -> None:
    simulation = cluster(slo_s=10.0, cache_bytes=10_000)
    replica = simulation.replica(lambda n: 1.0)
    simulation.ask(1.0)
    simulation.run_until(0.5)
    first, second = simulation.ask(2.0), simulation.ask(2.0)
    abandon(first)
    simulation.run_until(5.0)
    assert (first.answered_at, second.answer["output"]) == (None, 2.0)
    assert sum(map(len, replica.batches)) == 2


def test_an_output_that_comes_for_a_client_that_has_gone_is_cached_for_the_next() -> None:
    simulation = cluster(slo_s=10.0, cache_bytes=10_000)
    simulation.replica(lambda n: 1.0)
    gone = simulation.ask(1.0)
    simulation.run_until(0.5)
    abandon(gone)
    simulation.run_until(2.0)
    again = simulation.ask(1.0)
    assert (gone.answered_at, again.latency_s, again.answer["output"]) == (None, 0.0, 1.0)


def test_a_lost_replica_s_predictions_are_not_sent_again_for_nobody() -> None:
    simulation = cluster(slo_s=10.0)
    first, other = simulation.replica(lambda n: 1.0), None
    gone = simulation.ask(1.0)
    simulation.run_until(0.5)
    abandon(gone)
    other = simulation.replica(lambda n: 1.0)
    first.alive = False
    simulation.run_until(5.0)
    assert (gone.answered_at, other.batches) == (None, [])


def test_same_inputs_in_flight_are_asked_once_and_then_cached() -> None:
    simulation = cluster(cache_bytes=10_000)
    replica = simulation.replica()
    replies = [simulation.ask(1.0), simulation.ask(1.0)]
    simulation.run_until(0.05)
    replies.append(simulation.ask(1.0))
    assert [reply.answer["output"] for reply in replies] == [1.0] * 3
    assert replies[2].latency_s == 0
    assert sum(map(len, replica.batches)) == 1


def cached(simulation: Simulation, value: float = 1.0) -> bool:
    """Ask, and return whether the answer came at once."""
    reply = simulation.ask(value)
    simulation.run_until(simulation.now + 0.05)
    return reply.latency_s == 0


def test_a_model_may_keep_no_outputs_while_others_do() -> None:
    simulation = cluster(cache_bytes=10_000)
    simulation.model(cache_ttl_s=0.0)
    replica = simulation.replica()
    first, second = simulation.ask(1.0), simulation.ask(1.0)
    simulation.run_until(0.05)
    assert first.answer["output"] == second.answer["output"] == 1.0
    assert not cached(simulation)
    assert sum(map(len, replica.batches)) == 3
    simulation.model("2")
    simulation.replica(version="2")
    assert [cached(simulation), cached(simulation)] == [False, True]


def test_a_models_outputs_are_kept_for_its_lifetime() -> None:
    simulation = cluster(cache_bytes=10_000)
    simulation.model(cache_ttl_s=2.0)
    replica = simulation.replica()
    assert not cached(simulation)
    simulation.run_until(1.9)
    assert cached(simulation)
    simulation.run_until(2.1)
    assert not cached(simulation)
    assert cached(simulation)
    assert sum(map(len, replica.batches)) == 2


def test_purged_outputs_are_given_no_more_nor_are_those_on_their_way() -> None:
    simulation = cluster(cache_bytes=10_000)
    simulation.replica(lambda n: 0.01)
    assert [cached(simulation), cached(simulation)] == [False, True]
    simulation.ask(2.0)
    simulation.run_until(simulation.now + 0.005)
    simulation.model(cache_epoch=1)
    assert not cached(simulation)
    assert not cached(simulation, 2.0)
    assert cached(simulation, 2.0)


def test_what_a_purged_replica_answered_is_given_no_more_and_what_it_answers_is_not_kept() -> None:
    simulation = cluster(cache_bytes=1_000_000)
    bad = simulation.replica(lambda n: 0.01)
    assert [cached(simulation, 1.0), cached(simulation, 1.0)] == [False, True]
    instance_id = simulation.sessions.replicas()[0][1].instance_id
    simulation.model(purged_replicas=("another", instance_id))
    assert [cached(simulation, 1.0), cached(simulation, 1.0)] == [False, False]
    bad.alive = False
    simulation.run_until(simulation.now + 40.0)
    simulation.replica(lambda n: 0.01)
    assert [cached(simulation, 1.0), cached(simulation, 1.0)] == [False, True]


@pytest.mark.parametrize("text", ["1", "01", "null", "true", '{"a": 1}', "[1]", '"x"', "caf\u00e9", ""])
def test_texts_of_a_model_of_strings_are_kept_as_they_are(text: str) -> None:
    simulation = cluster(cache_bytes=10_000)
    simulation.model(output_type=OutputType.STRING)
    simulation.replica(says=text.encode() or None)
    wanted = text or "1"
    replies = [simulation.ask(1.0), simulation.ask(1.0)]
    simulation.run_until(0.05)
    replies.append(simulation.ask(1.0))
    assert [reply.answer["output"] for reply in replies] == [wanted] * 3


def test_models_of_strings_vote_on_texts() -> None:
    simulation = Simulation()
    simulation.application(policy={"name": "majority_vote"})
    for name, says in (("a", b"1"), ("b", b"1"), ("c", b"1.0")):
        simulation.model(name=name, output_type=OutputType.STRING)
        simulation.replica(name=name, says=says)
    simulation.link("app", "a", "b", "c")
    reply = simulation.ask(1.0)
    simulation.run_until(0.05)
    assert (reply.answer["output"], round(reply.answer["confidence"], 3)) == ("1", 0.667)


def test_texts_have_no_mean() -> None:
    simulation = cluster(policy={"name": "mean"})
    simulation.model(output_type=OutputType.STRING)
    simulation.replica(says=b"1")
    reply = simulation.ask(1.0)
    simulation.run_until(0.05)
    assert reply.reason == "not_a_number"


def test_without_a_cache_every_query_reaches_the_model() -> None:
    simulation = cluster(cache_bytes=0)
    replica = simulation.replica()
    for _ in range(3):
        simulation.ask(1.0)
    simulation.run_until(0.05)
    assert sum(map(len, replica.batches)) == 3


def test_a_version_registered_again_never_gets_the_old_answer() -> None:
    simulation = cluster(cache_bytes=10_000)
    replica = simulation.replica()
    simulation.ask(1.0)
    simulation.run_until(0.05)
    simulation.registry(Database.MODELS, "model:1", None)
    simulation.model(registration_id="y")
    simulation.ask(1.0)
    simulation.run_until(0.1)
    assert sum(map(len, replica.batches)) == 2


def test_an_input_that_fails_fails_alone() -> None:
    simulation = cluster()
    replica = simulation.replica()
    replica.fails_on = bytes(8)
    replies = [simulation.ask(value) for value in (1.0, 0.0, 2.0)]
    simulation.run_until(0.05)
    assert [reply.reason for reply in replies] == [None, "model_error", None]
    assert replies[1].answer["default_detail"] == "ValueError: no"


def test_on_default_error_answers_503_with_the_reason() -> None:
    simulation = cluster(on_default=OnDefault.ERROR)
    reply = simulation.ask(1.0)
    assert (reply.status, reply.reason) == (503, "no_replica")
    assert "output" not in reply.answer


def test_on_default_wait_answers_late_and_says_so() -> None:
    simulation = cluster(slo_s=0.02, on_default=OnDefault.WAIT)
    simulation.replica(lambda n: 0.5)
    reply = simulation.ask(3.0)
    simulation.run_until(1.0)
    assert (reply.answer["output"], reply.answer["default"], reply.answer["late"]) == (3.0, False, True)
    assert simulation.routes.applications["app"].statistics.late_answers == 1
    in_time = cluster(slo_s=1.0, on_default=OnDefault.WAIT)
    in_time.replica()
    reply = in_time.ask(3.0)
    in_time.run_until(0.1)
    assert "late" not in reply.answer


def test_a_lost_replicas_batch_is_answered_by_another() -> None:
    simulation = cluster(slo_s=1.0)
    doomed = simulation.replica(lambda n: 0.1)
    reply = simulation.ask(1.0)
    simulation.run_until(0.01)
    simulation.replica()
    simulation.kill(doomed)
    simulation.run_until(0.5)
    assert reply.answer["output"] == 1.0


def test_a_query_that_costs_two_replicas_is_not_sent_a_third_time() -> None:
    simulation = cluster(slo_s=10.0)
    reply = simulation.ask
    replicas = [simulation.replica(lambda n: 1.0)]
    asked = reply(1.0)
    for _ in range(2):
        simulation.run_until(simulation.now + 0.01)
        replicas.append(simulation.replica(lambda n: 1.0))
        simulation.kill(replicas[-2])
    simulation.run_until(simulation.now + 0.01)
    assert asked.reason == "model_error"
    assert "lost" in asked.answer["default_detail"]
    assert not replicas[2].batches


def test_when_all_replicas_are_lost_queries_wait_for_one_until_their_deadline() -> None:
    simulation = cluster(slo_s=0.1)
    replica = simulation.replica(lambda n: 0.05)
    first = simulation.ask(1.0)
    simulation.run_until(0.01)
    simulation.kill(replica)
    assert simulation.ask(2.0).reason == "no_replica"
    simulation.replica()
    simulation.run_until(0.05)
    assert first.answer["output"] == 1.0


def test_a_hanging_replica_leaves_the_rotation_and_comes_back_when_it_answers() -> None:
    simulation = cluster(slo_s=5.0)
    hanging = simulation.replica(lambda n: 0.01)
    simulation.ask(0.0)
    simulation.run_until(0.1)
    hanging.seconds = lambda n: 4.0
    stuck = simulation.ask(1.0)
    simulation.run_until(0.2)
    simulation.replica(lambda n: 0.01)
    simulation.run_until(3.5)
    assert stuck.answer["output"] == 1.0, "retried elsewhere once the first replica hung"
    before = len(hanging.batches)
    for value in range(5):
        simulation.ask(float(value))
        simulation.run_until(simulation.now + 0.02)
    assert len(hanging.batches) == before
    simulation.run_until(6.0)
    hanging.seconds = lambda n: 0.01
    replies = [simulation.ask(float(value)) for value in range(50)]
    simulation.run_until(7.0)
    assert len(hanging.batches) > before
    assert all(reply.reason is None for reply in replies)


def test_a_query_asked_again_is_not_bound_to_one_that_nobody_waits_for() -> None:
    simulation = cluster(slo_s=0.05, cache_bytes=10_000)
    hanging = simulation.replica(lambda n: 1e9)
    simulation.ask(1.0)
    simulation.run_until(0.1)
    simulation.replica()
    again = simulation.ask(1.0)
    simulation.run_until(0.2)
    assert len(hanging.batches) == 1
    assert again.answer["output"] == 1.0


def test_a_fixed_batch_size_wins() -> None:
    simulation = cluster(batch_size=3)
    replica = simulation.replica()
    for value in range(30):
        simulation.ask(float(value))
    simulation.run_until(0.1)
    assert {len(batch) for batch in replica.batches} == {3}


def test_learnt_batches_grow_as_far_as_the_slo_allows() -> None:
    simulation = cluster(slo_s=0.02)
    replica = simulation.replica(lambda n: 0.001 + 0.0001 * n)
    replies = _offer(simulation, rate=6000, seconds=0.5)
    assert max(map(len, replica.batches)) > 15
    good = sum(reply.reason is None for reply in replies)
    assert good > 0.95 * len(replies)


def _offer(simulation: Simulation, rate: float, seconds: float) -> list[SimulatedReply]:
    """Ask at Poisson arrivals of `rate` per second for some time, and let everything be answered."""
    randomness, replies = random.Random(3), []
    when, end = simulation.now, simulation.now + seconds
    while (when := when + randomness.expovariate(rate)) < end:
        simulation.run_until(when)
        replies.append(simulation.ask(randomness.random()))
    simulation.run_until(end + 1.0)
    return replies


@pytest.mark.parametrize(
    ("fixed_s", "per_input_s", "batch_size", "replicas", "slo_s"),
    [
        (0.005, 0.0, 1, 1, 0.1),
        (0.005, 0.0, 1, 4, 0.05),
        (0.002, 0.0005, -1, 1, 0.1),
        (0.002, 0.0005, -1, 2, 0.05),
        (0.0, 0.002, -1, 1, 0.1),
        (0.010, 0.0001, 8, 1, 0.1),
    ],
)
def test_at_twice_the_capacity_useful_throughput_stays(
    fixed_s: float, per_input_s: float, batch_size: int, replicas: int, slo_s: float
) -> None:
    def goodput(rate: float) -> tuple[float, list[SimulatedReply]]:
        simulation = cluster(slo_s=slo_s, batch_size=batch_size)
        for _ in range(replicas):
            simulation.replica(lambda n: fixed_s + per_input_s * n)
        _offer(simulation, rate=rate / 4, seconds=0.3)
        replies = _offer(simulation, rate=rate, seconds=1.0)
        return sum(reply.reason is None for reply in replies), replies

    # The most that the replicas could do with batches that take a third of the SLO.
    largest = batch_size if batch_size > 0 else max(1.0, (slo_s / 3 - fixed_s) / per_input_s)
    capacity = replicas * largest / (fixed_s + per_input_s * largest)
    useful, replies = goodput(2 * capacity)
    assert useful > 0.9 * capacity
    assert all(reply.latency_s <= slo_s + 0.003 for reply in replies)
    refused = [reply for reply in replies if reply.reason == "overloaded"]
    assert sum(reply.latency_s < 0.001 for reply in refused) > 0.9 * len(refused)


@pytest.mark.parametrize(("fixed_s", "per_input_s"), [(0.005, 5e-5), (0.008, 2e-5), (0.0005, 5e-5)])
def test_clients_that_ask_again_at_once_are_served_in_large_batches(
    fixed_s: float, per_input_s: float
) -> None:
    simulation = cluster(slo_s=0.02)
    replica = simulation.replica(lambda n: fixed_s + per_input_s * n)
    asked, late, waiting = itertools.count(), 0, list[SimulatedReply]()
    while simulation.now < 0.6:
        waiting += [simulation.ask(float(next(asked))) for _ in range(64 - len(waiting))]
        simulation.run_until(simulation.now + 0.0002)
        late += sum(reply.reason is not None and simulation.now > 0.2 for reply in waiting)
        waiting = [reply for reply in waiting if reply.answered_at is None]
    assert late == 0
    assert sum(map(len, replica.batches)) > 10 * len(replica.batches)


def test_a_model_that_turns_slow_is_found_out_and_its_recovery_too() -> None:
    simulation = cluster(slo_s=0.05)
    replica = simulation.replica(lambda n: 0.001)
    _offer(simulation, rate=200, seconds=0.5)
    replica.seconds = lambda n: 0.2
    slow = _offer(simulation, rate=200, seconds=1.0)
    assert all(reply.latency_s <= 0.053 for reply in slow)
    replica.seconds = lambda n: 0.001
    _offer(simulation, rate=200, seconds=0.5)
    recovered = _offer(simulation, rate=200, seconds=0.5)
    assert all(reply.reason is None for reply in recovered)


def _constant(seconds: float, _: int) -> float:
    return seconds


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "kill", "join", "hang", "wait", "late"]),
            st.integers(0, 3),
            st.sampled_from([0.0, 0.0005, 0.02, 0.3]),
        ),
        max_size=40,
    ),
    st.sampled_from([0, 10_000]),
    st.sampled_from([-1, 1, 4]),
)
def test_whatever_happens_every_query_is_answered_once_and_in_time(
    steps: list[tuple[str, int, float]], cache_bytes: int, batch_size: int
) -> None:
    simulation = cluster(slo_s=0.05, cache_bytes=cache_bytes, batch_size=batch_size)
    replies, alive = [], []
    for what, which, seconds in steps:
        if what == "ask":
            replies += [simulation.ask(float(value)) for value in range(which + 1)]
        elif what == "join":
            alive.append(simulation.replica(partial(_constant, seconds)))
        elif alive and what == "kill":
            simulation.kill(alive.pop(which % len(alive)))
        elif alive and what == "hang":
            alive[which % len(alive)].seconds = lambda n: 1e9
        simulation.run_until(simulation.now + seconds)
    simulation.run_until(simulation.now + 20.0)
    assert all(reply.latency_s <= 0.053 for reply in replies)
    assert not simulation.serving.predictions._in_flight
    assert simulation.serving.deadlines.next_due() is None
