"""Queries of several models in virtual time: what is waited for, what is missing, what is answered."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from clipper_frontend.query.serving.application import Learner
from clipper_frontend.query.serving.statistics import ApplicationStatistics
from clipper_frontend.registry.records import OnDefault
from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Outputs, Policy, Selection, Selector
from tests.unit.query.simulation import Simulation

SLO_S = 0.05
#: A timer may be this late.
TICK_S = 0.002


class Notes:
    """Learns nothing, and keeps all that it is to remember."""

    def __init__(self) -> None:
        self.remembered: dict[int, tuple[str | None, Selection, Outputs]] = {}
        self.selectors: dict[str | None, Selector] = {}
        self.forgotten: list[str] = []

    def renew(
        self,
        application: str,  # noqa: ARG002 (protocol)
        config: PolicyConfig,  # noqa: ARG002
        policy: Policy,
        statistics: ApplicationStatistics,  # noqa: ARG002
    ) -> Learner | None:
        self.selectors[None] = policy.selector({})
        return self

    def forget(self, application: str) -> None:
        self.forgotten.append(application)

    def selector(self, user: str | None) -> Selector:
        return self.selectors.get(user, self.selectors[None])

    def remember(
        self, query_id: int, user: str | None, selection: Selection, outputs: Outputs | bytes | None
    ) -> None:
        assert query_id not in self.remembered
        if not isinstance(outputs, dict):
            outputs = {selection.asked[0]: outputs}
        self.remembered[query_id] = (user, selection, outputs)

    def outputs(self) -> list[Outputs]:
        return [outputs for _, _, outputs in self.remembered.values()]


def _constant(seconds: float, count: int) -> float:  # noqa: ARG001 (a batch takes the same)
    return seconds


def several(
    policy: dict[str, Any], *models: str, cache_bytes: int = 0, **application: Any
) -> tuple[Simulation, Notes]:
    """Return an application with this policy over models without replicas, and its learner."""
    notes = Notes()
    simulation = Simulation(cache_bytes=cache_bytes, learners=notes)
    simulation.application(policy=policy, **{"slo_s": SLO_S, **application})
    for name in models:
        simulation.model(name=name)
    simulation.link("app", *models)
    return simulation, notes


def test_an_ensemble_answers_when_the_last_of_its_models_has() -> None:
    simulation, notes = several({"name": "mean"}, "a", "b", "c")
    for name, says, seconds in (("a", b"1", 0.001), ("b", b"2", 0.02), ("c", b"6", 0.003)):
        simulation.replica(partial(_constant, seconds), name=name, says=says)
    reply = simulation.ask(1.0)
    simulation.run_until(0.1)
    assert reply.answer == {
        "query_id": 0,
        "output": 3.0,
        "default": False,
        "models": ["a:1", "b:1", "c:1"],
        "confidence": pytest.approx(1 - 2 / 3),
        "missing": [],
    }
    assert reply.latency_s == pytest.approx(0.02)
    assert notes.outputs() == [{0: b"1", 1: b"2", 2: b"6"}]
    assert len(simulation.serving.deadlines._ticks) <= 1


def test_a_straggler_is_missing_at_the_slo_and_answered_for() -> None:
    simulation, notes = several({"name": "majority_vote"}, "a", "b", "slow")
    for name in ("a", "b"):
        simulation.replica(name=name, says=b'"cat"')
    simulation.replica(lambda n: 1.0, name="slow", says=b'"dog"')
    reply = simulation.ask(1.0)
    simulation.run_until(3.0)
    assert (reply.answer["output"], reply.answer["missing"]) == ("cat", ["slow"])
    assert reply.answer["models"] == ["a:1", "b:1"]
    assert reply.answer["confidence"] == pytest.approx(2 / 3)
    assert SLO_S <= reply.latency_s <= SLO_S + TICK_S
    assert notes.outputs() == [{0: b'"cat"', 1: b'"cat"', 2: None}], "what came later is not in the answer"
    arms = simulation.routes.applications["app"].statistics.arms
    assert [(arm.chosen, arm.missing) for arm in arms.values()] == [(1, 0), (1, 0), (1, 1)]


def test_a_model_known_to_be_too_slow_is_not_waited_for() -> None:
    simulation, _ = several({"name": "majority_vote"}, "a", "slow")
    simulation.replica(name="a", says=b'"cat"')
    simulation.replica(lambda n: 1.0, name="slow", says=b'"dog"')
    simulation.ask(1.0)
    simulation.run_until(1.1)
    tried_again = simulation.ask(2.0)
    simulation.run_until(1.101)
    reply = simulation.ask(3.0)
    simulation.run_until(1.2)
    assert tried_again.answer["missing"] == reply.answer["missing"] == ["slow"]
    assert reply.latency_s < SLO_S / 2 < SLO_S <= tried_again.latency_s


def test_with_a_soft_slo_an_ensemble_waits_for_all() -> None:
    simulation, _ = several({"name": "majority_vote"}, "a", "slow", on_default=OnDefault.WAIT)
    simulation.replica(name="a", says=b'"cat"')
    simulation.replica(lambda n: 1.0, name="slow", says=b'"dog"')
    reply = simulation.ask(1.0)
    simulation.run_until(3.0)
    assert (reply.answer["missing"], reply.answer["late"]) == ([], True)
    assert reply.latency_s == pytest.approx(1.0)
    assert simulation.routes.applications["app"].statistics.late_answers == 1


def test_when_no_model_answers_the_default_is_given_with_the_reason() -> None:
    simulation, notes = several({"name": "mean"}, "a", "b")
    reply = simulation.ask(1.0)
    assert (reply.reason, reply.latency_s) == ("no_replica", 0.0)
    assert (reply.answer["models"], reply.answer["missing"]) == ([], ["a", "b"])
    simulation.replica(lambda n: 9.0, name="a")
    simulation.replica(lambda n: 9.0, name="b")
    reply = simulation.ask(2.0)
    simulation.run_until(0.2)
    assert reply.reason == "timeout"
    assert SLO_S <= reply.latency_s <= SLO_S + TICK_S
    assert notes.outputs() == [{0: None, 1: None}] * 2


def test_a_failing_model_is_missing() -> None:
    simulation, _ = several({"name": "mean"}, "a", "b")
    simulation.replica(name="a", says=b"4")
    simulation.replica(name="b").fails_on = np.array([1.0]).tobytes()
    reply = simulation.ask(1.0)
    simulation.run_until(0.1)
    assert (reply.answer["output"], reply.answer["missing"]) == (4, ["b"])
    assert reply.latency_s < SLO_S / 2


def test_below_the_confidence_that_is_asked_for_the_default_is_given() -> None:
    simulation, _ = several({"name": "majority_vote", "parameters": {"min_confidence": 0.7}}, "a", "b")
    simulation.replica(name="a", says=b'"cat"')
    simulation.replica(name="b", says=b'"dog"')
    reply = simulation.ask(1.0)
    simulation.run_until(0.1)
    assert (reply.reason, reply.answer["output"]) == ("low_confidence", -1.0)
    assert (reply.answer["models"], reply.answer["confidence"]) == (["a:1", "b:1"], 0.5)
    assert "at least 0.7" in reply.answer["default_detail"]
    assert simulation.routes.applications["app"].statistics.defaults == {"low_confidence": 1}


def test_a_mean_of_what_is_no_number_is_refused() -> None:
    simulation, _ = several({"name": "mean"}, "a", "b", on_default=OnDefault.ERROR)
    simulation.replica(name="a", says=b'"cat"')
    simulation.replica(name="b", says=b"1")
    reply = simulation.ask(1.0)
    simulation.run_until(0.1)
    assert (reply.status, reply.reason) == (503, "not_a_number")


def test_models_of_an_ensemble_use_the_cache_and_join_queries_in_flight() -> None:
    simulation, notes = several({"name": "mean"}, "a", "b", cache_bytes=100_000)
    replicas = [simulation.replica(name=name, says=b"1") for name in ("a", "b")]
    both = [simulation.ask(1.0), simulation.ask(1.0)]
    simulation.run_until(0.02)
    both.append(simulation.ask(1.0))
    assert [reply.answer["output"] for reply in both] == [1] * 3
    assert both[2].latency_s == 0
    assert [sum(map(len, replica.batches)) for replica in replicas] == [1, 1]
    assert len(notes.remembered) == 3


def test_shadows_get_the_queries_and_are_never_waited_for() -> None:
    policy = {"name": "shadow", "parameters": {"primary": "old"}}
    simulation, notes = several(policy, "new", "old")
    simulation.replica(name="old", says=b"1")
    replica = simulation.replica(lambda n: 0.03, name="new", says=b"2")
    reply = simulation.ask(1.0)
    simulation.run_until(0.02)
    assert reply.answer == {"query_id": 0, "output": 1, "default": False, "models": ["old:1"]}
    assert notes.outputs() == [{1: b"1"}]
    simulation.run_until(0.1)
    assert len(replica.batches) == 1
    assert notes.outputs() == [{0: b"2", 1: b"1"}], "what a shadow says is recorded when it comes"
    arms = simulation.routes.applications["app"].statistics.arms
    assert (arms["new"].chosen, arms["new"].shadowed, arms["old"].chosen) == (0, 1, 1)


def test_nothing_is_learnt_or_run_for_a_client_that_has_gone() -> None:
    policy = {"name": "shadow", "parameters": {"primary": "old"}}
    simulation, notes = several(policy, "new", "old")
    replicas = [simulation.replica(lambda n: 0.05, name=name, says=b"1") for name in ("old", "new")]
    replies = [simulation.ask(1.0)]
    simulation.run_until(0.01)
    replies.append(simulation.ask(2.0))
    for reply in replies:
        assert reply.work is not None
        reply.work.abandon()
    simulation.run_until(0.3)
    assert [len(replica.batches) for replica in replicas] == [1, 1]
    assert (notes.outputs(), [reply.answered_at for reply in replies]) == ([], [None, None])


def test_a_shadow_that_is_broken_changes_no_answer() -> None:
    policy = {"name": "shadow", "parameters": {"primary": "old"}}
    simulation, notes = several(policy, "new", "old", "gone")
    simulation.replica(name="old", says=b"1")
    simulation.replica(lambda n: 9.0, name="new")
    reply = simulation.ask(1.0)
    simulation.run_until(1.0)
    assert reply.answer["output"] == 1
    assert notes.outputs() == [{2: b"1", 0: None}]


def test_a_policy_that_chooses_one_names_the_version_that_answered() -> None:
    simulation, notes = several({"name": "split", "arms": {"a:1": 1, "a:2": 1}}, "a")
    simulation.model(name="a", version="2")
    for version in ("1", "2"):
        simulation.replica(name="a", version=version, says=version.encode())
    replies = [simulation.ask(float(n), user=f"user{n % 10}") for n in range(100)]
    simulation.run_until(0.1)
    answered = [(f"user{n % 10}", *reply.answer["models"]) for n, reply in enumerate(replies)]
    assert len(set(answered)) == 10, "the same version for each user"
    assert {version for _, version in answered} == {"a:1", "a:2"}
    for n, reply in enumerate(replies):
        user, selection, outputs = notes.remembered[reply.answer["query_id"]]
        assert reply.answer["models"] == [f"a:{selection.asked[0] + 1}"]
        assert outputs == {selection.asked[0]: b"%d" % reply.answer["output"]}
        assert user == f"user{n % 10}"
    arms = simulation.routes.applications["app"].statistics.arms
    assert sum(arm.chosen for arm in arms.values()) == 100


def test_what_a_chosen_model_did_not_answer_is_remembered_as_that() -> None:
    simulation, notes = several({"name": "exp3"}, "a")
    assert simulation.ask(1.0).reason == "no_replica"
    simulation.replica(lambda n: 9.0, name="a")
    reply = simulation.ask(2.0)
    simulation.run_until(0.2)
    assert (reply.reason, reply.answer["models"]) == ("timeout", [])
    assert notes.outputs() == [{0: None}] * 2


def test_cached_answers_are_remembered_too() -> None:
    simulation, notes = several({"name": "exp3"}, "a", cache_bytes=10_000)
    simulation.replica(name="a", says=b"5")
    simulation.ask(1.0)
    simulation.run_until(0.02)
    simulation.ask(1.0, user="ann")
    assert notes.outputs() == [{0: b"5"}] * 2
    assert [user for user, _, _ in notes.remembered.values()] == [None, "ann"]


def test_a_policy_that_cannot_be_had_answers_with_the_default_and_says_why() -> None:
    simulation, notes = several({"name": "split", "arms": {"a": 1, "b": 1}}, "a")
    reply = simulation.ask(1.0)
    assert reply.reason == "no_model"
    assert "names models that are not linked to it: b" in reply.answer["default_detail"]
    assert not notes.remembered
    simulation.model(name="b")
    simulation.link("app", "a", "b")
    assert simulation.ask(1.0).reason == "no_replica"


def test_an_arm_whose_version_is_not_registered_gives_no_output() -> None:
    simulation, _ = several({"name": "majority_vote", "arms": ["a", "b:7"]}, "a", "b")
    simulation.replica(name="a", says=b"1")
    reply = simulation.ask(1.0)
    simulation.run_until(0.02)
    assert (reply.answer["output"], reply.answer["missing"]) == (1, ["b:7"])


def test_a_policy_changes_on_a_live_application_while_queries_wait() -> None:
    simulation, notes = several({"name": "mean"}, "a", "b")
    for name in ("a", "b"):
        simulation.replica(lambda n: 0.02, name=name, says=b"1")
    before = simulation.ask(1.0)
    simulation.application(slo_s=SLO_S, policy={"name": "split", "arms": {"b": 1}})
    after = simulation.ask(2.0)
    simulation.run_until(0.2)
    assert before.answer["models"] == ["a:1", "b:1"]
    assert after.answer["models"] == ["b:1"]
    assert len(notes.remembered) == 2


def test_collected_outputs_are_no_query() -> None:
    simulation, notes = several({"name": "mean"}, "a", "slow")
    simulation.replica(name="a", says=b"1")
    simulation.replica(lambda n: 9.0, name="slow")
    application = simulation.routes.applications["app"]
    collected: list[Outputs] = []
    selection = Selection((0, 1), (0.5, 0.5))
    payload = np.array([1.0]).tobytes()
    simulation.selecting.collect(application, selection, payload, simulation.now, collected.append)
    simulation.run_until(0.2)
    assert collected == [{0: b"1", 1: None}]
    assert (application.statistics.queries, application.statistics.defaults) == (0, {})
    assert not notes.remembered
