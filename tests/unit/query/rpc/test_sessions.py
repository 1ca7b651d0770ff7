"""Sessions of containers: handshakes, refusals, peers, goodbyes, silence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_container import wire
from tests.unit.query.simulation import SimulatedReply, Simulation, cluster


@pytest.fixture
def simulation() -> Simulation:
    return cluster(slo_s=1.0)


def _sent_to(simulation: Simulation, identity: bytes, frames: list[bytes]) -> wire.FromFrontend:
    sent: list[list[bytes]] = []

    def send(_: bytes, frames: list[bytes]) -> bool:
        sent.append(frames)
        return True

    simulation.sessions._send = send
    simulation.sessions.received([identity, *frames], simulation.now)
    (reply,) = sent
    return wire.decode_from_frontend(reply)


def test_a_hello_is_answered_with_id_and_peers(simulation: Simulation) -> None:
    simulation.sessions.set_peers({"front": "h:1", "other": "h:2"})
    reply = _sent_to(simulation, b"new", wire.encode_hello())
    assert reply == wire.FrontendHeartbeat(wire.SEND_METADATA, "front", {"front": "h:1", "other": "h:2"})


def test_a_version_3_heartbeat_of_an_unknown_container_asks_for_its_metadata(simulation: Simulation) -> None:
    reply = _sent_to(simulation, b"new", [b"", b"\2\0\0\0"])
    assert reply == wire.FrontendHeartbeat(wire.SEND_METADATA, "", None)


@pytest.mark.parametrize("frames", [wire.encode_container_heartbeat(), wire.encode_goodbye()])
def test_a_version_4_container_that_was_forgotten_is_asked_for_its_metadata(
    simulation: Simulation, frames: list[bytes]
) -> None:
    reply = _sent_to(simulation, b"new", frames)
    assert isinstance(reply, wire.FrontendHeartbeat)
    assert (reply.heartbeat_type, reply.frontend_id) == (wire.SEND_METADATA, "front")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cluster": "other"}, "belongs to cluster 'other'"),
        ({"code": 1}, "takes doubles"),
        ({"code": 9}, "unknown input type code 9"),
        ({"version": "1:2"}, "Invalid model version '1:2'"),
        ({"name": "m\x1b[2J"}, r"Invalid model name 'm\x1b[2J'"),
        ({"name": "m" * 256}, "at most 255 bytes"),
        ({"name": "cafe\u0301"}, "normal form NFC"),
        ({"instance": "i\u202e"}, "Invalid instance id"),
        ({"cluster": "c" * 1000}, "Invalid cluster name"),
    ],
)
def test_refusals_say_why(simulation: Simulation, change: dict[str, Any], reason: str) -> None:
    replica = simulation.replica(**change)
    assert len(replica.refusals) == 1
    assert reason in replica.refusals[0]
    assert simulation.ask(1.0).reason == "no_replica"


def test_what_came_for_a_container_of_an_unregistered_version_goes_with_it(simulation: Simulation) -> None:
    versions = simulation.routes.versions
    before = len(list(versions))
    replicas = [simulation.replica(name=f"unknown-{number}") for number in range(20)]
    again = simulation.replica(name="unknown-0")
    assert len(list(versions)) == before + 20
    for replica in replicas:
        simulation.kill(replica)
    assert len(list(versions)) == before + 1
    simulation.kill(again)
    refused = simulation.replica(name="refused", cluster="other")
    assert refused.refusals
    assert len(list(versions)) == before


def test_a_registered_version_stays_when_its_last_replica_leaves(simulation: Simulation) -> None:
    replica = simulation.replica()
    version = simulation.routes.versions.find(("model", "1"))
    simulation.kill(replica)
    assert simulation.routes.versions.find(("model", "1")) is version


def test_a_replica_that_connected_before_a_registration_for_another_type_is_turned_away() -> None:
    simulation = Simulation()
    replica = simulation.replica(code=1)
    simulation.application()
    simulation.model()
    simulation.link()
    assert replica.refusals
    assert simulation.ask(1.0).reason == "no_replica"


def test_the_same_instance_connecting_anew_takes_over(simulation: Simulation) -> None:
    old = simulation.replica(lambda n: 1e9, instance="one")
    reply = simulation.ask(1.0)
    simulation.run_until(0.01)
    new = simulation.replica(instance="one")
    simulation.run_until(0.1)
    assert reply.answer["output"] == 1.0
    assert (len(old.batches), len(new.batches)) == (1, 1)
    assert len(simulation.sessions.replicas()) == 1


def test_a_replica_that_says_goodbye_finishes_and_gets_nothing_more(simulation: Simulation) -> None:
    leaving = simulation.replica(lambda n: 0.1)
    first = simulation.ask(1.0)
    simulation.run_until(0.01)
    simulation.deliver(leaving, wire.encode_goodbye())
    assert simulation.ask(2.0).reason == "no_replica"
    assert simulation.sessions.replicas() == []
    simulation.run_until(0.5)
    assert first.answer["output"] == 1.0


def test_the_last_replica_that_leaves_takes_what_is_queued(simulation: Simulation) -> None:
    leaving = simulation.replica(lambda n: 0.01)
    replies = [simulation.ask(float(value)) for value in range(40)]
    simulation.run_until(0.005)
    assert len(simulation.routes.versions.get("model", "1").queue) > 0
    simulation.deliver(leaving, wire.encode_goodbye())
    assert len(simulation.routes.versions.get("model", "1").queue) == 0
    simulation.run_until(0.9)
    assert [reply.answer["output"] for reply in replies] == [float(value) for value in range(40)]


def _goodbye_of_a_dead_one(simulation: Simulation, queued: int) -> list[SimulatedReply]:
    """Queue queries behind a slow replica that says goodbye, and is dead before its frontend reads it."""
    replica = simulation.replica(lambda n: 0.5)
    simulation.run_until(0.01)
    for value in range(2):
        simulation.ask(float(value))
    simulation.run_until(1.5)
    replies = [simulation.ask(float(100 + value)) for value in range(queued)]
    simulation.run_until(1.55)
    replica.alive = False
    simulation.deliver(replica, wire.encode_goodbye())
    return replies


@pytest.mark.parametrize("queued", [6, 40, 400])
def test_a_last_replica_that_is_gone_when_its_goodbye_is_read_disturbs_nothing(queued: int) -> None:
    simulation = cluster(slo_s=5.0)
    replies = _goodbye_of_a_dead_one(simulation, queued)
    assert len(simulation.sessions) == 0
    simulation.run_until(10.0)
    assert {reply.reason for reply in replies} <= {"no_replica", "timeout", "overloaded"}
    assert all(reply.latency_s < 5.01 for reply in replies)


def test_what_a_gone_replica_was_to_be_sent_goes_to_the_next_one() -> None:
    simulation = cluster(slo_s=5.0)
    replies = _goodbye_of_a_dead_one(simulation, 6)
    waiting = [reply for reply in replies if reply.answered_at is None]
    assert waiting
    simulation.replica(lambda n: 0.01)
    simulation.run_until(2.5)
    assert all(reply.reason is None and reply.answer["output"] >= 100.0 for reply in waiting)


def test_every_version_4_container_learns_at_once_of_a_new_frontend(simulation: Simulation) -> None:
    replica = simulation.replica()
    simulation.sessions.set_peers({"front": "h:1", "other": "h:2"})
    assert replica.peers == {"front": "h:1", "other": "h:2"}


def test_a_silent_container_is_dropped(simulation: Simulation) -> None:
    simulation.replica(rpc_version=wire.V3)
    simulation.run_until(29.0)
    assert len(simulation.sessions) == 1
    simulation.run_until(31.0)
    assert len(simulation.sessions) == 0


def test_who_comes_and_goes_is_told(simulation: Simulation) -> None:
    replica = simulation.replica()
    assert simulation.changes == 1
    simulation.kill(replica)
    assert simulation.changes == 2


@given(st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=8)))
def test_no_message_whatever_disturbs_the_others(messages: list[list[bytes]]) -> None:
    simulation = cluster(slo_s=1.0)
    replica = simulation.replica()
    for frames in messages:
        simulation.sessions.received([b"hostile", *frames], simulation.now)
        simulation.sessions.received([replica.identity, b"\1\0\0\0", *frames], simulation.now)
    reply = simulation.ask(1.0)
    simulation.run_until(0.5)
    assert reply.answer["output"] == 1.0
