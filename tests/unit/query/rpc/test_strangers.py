"""Strangers at the RPC port: what a peer without a session may cost, in messages, memory and log lines."""

from __future__ import annotations

import logging

import pytest

from clipper_container import wire
from clipper_frontend.query.rpc.strangers import Strangers
from tests.unit.query.simulation import Simulation, cluster

HEARTBEAT = wire.encode_container_heartbeat()


@pytest.fixture
def simulation() -> Simulation:
    return cluster(slo_s=1.0)


def count_replies(simulation: Simulation) -> list[bytes]:
    """Have the simulation collect to whom it sends, in the list that is returned."""
    sent: list[bytes] = []

    def send(identity: bytes, _: list[bytes]) -> bool:
        sent.append(identity)
        return True

    simulation.sessions._send = send
    return sent


def test_a_stranger_that_floods_is_answered_a_few_times_a_second_and_logged_once_a_minute(
    simulation: Simulation, caplog: pytest.LogCaptureFixture
) -> None:
    sent = count_replies(simulation)
    for number in range(120_000):
        simulation.sessions.received([b"flood", *HEARTBEAT], number / 1000)
    assert len(sent) <= 20 + 5 * 120
    assert simulation.sessions.strangers.dropped_messages == 120_000 - len(sent)
    lines = [record for record in caplog.records if "dropped" in record.getMessage()]
    assert len(lines) == 2


def test_a_flood_of_malformed_messages_or_refused_containers_costs_a_line_a_minute(
    simulation: Simulation, caplog: pytest.LogCaptureFixture
) -> None:
    metadata = wire.Metadata("a:b", "1", 3, wire.V4, "test", "i")
    for number in range(10_000):
        simulation.sessions.received([b"malformed", b"\1"], number / 1000)
        simulation.sessions.received([b"refused", *wire.encode_metadata(metadata)], number / 1000)
    assert len(caplog.records) == 2


def test_a_replica_that_sends_malformed_messages_costs_a_line_a_minute(
    simulation: Simulation, caplog: pytest.LogCaptureFixture
) -> None:
    replica = simulation.replica()
    caplog.clear()
    for _ in range(1000):
        simulation.deliver(replica, [b"\1"])
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert simulation.sessions.malformed_messages == 1000


def test_a_container_is_not_held_up_by_strangers(simulation: Simulation) -> None:
    for number in range(5000):
        simulation.sessions.received([b"%d" % number, *HEARTBEAT], simulation.now)
    simulation.replica()
    assert simulation.ask(1.0).reason is None


def test_messages_of_a_replica_are_not_counted_as_a_strangers(simulation: Simulation) -> None:
    replica = simulation.replica()
    for _ in range(1000):
        simulation.sessions.received([replica.identity, *HEARTBEAT], simulation.now)
    assert simulation.sessions.strangers.dropped_messages == 0


def test_a_connection_is_seated_while_its_peer_has_a_session(simulation: Simulation) -> None:
    metadata = wire.encode_metadata(wire.Metadata("model", "1", 3, wire.V4, "test", "i"))
    sessions = simulation.sessions
    sessions._send = lambda *_: True
    sessions.received([b"a", *HEARTBEAT], 0.0, 7)
    assert (simulation.seats, b"a" in sessions.members) == ([], False)
    sessions.received([b"a", *metadata], 0.0, 7)
    assert (simulation.seats, b"a" in sessions.members) == ([(7, True)], True)
    sessions.received([b"b", *metadata], 0.0, 8)
    assert simulation.seats[1:] == [(7, False), (8, True)], "the same instance connected again"
    sessions.sweep(60.0)
    assert (simulation.seats[3:], list(sessions.members)) == ([(8, False)], [])


def test_a_container_that_is_gone_when_its_introduction_is_read_gets_no_session(
    simulation: Simulation,
) -> None:
    metadata = wire.encode_metadata(wire.Metadata("model", "1", 3, wire.V4, "test", "i"))
    simulation.sessions._send = lambda *_: False
    simulation.sessions.received([b"a", *metadata], 0.0, 7)
    assert (len(simulation.sessions), simulation.seats) == (0, [])


def test_many_peers_take_bounded_memory_and_lines() -> None:
    strangers, lines = Strangers(), 0
    for number in range(100_000):
        identity = b"%d" % number
        strangers.admits(identity, 1.0)
        lines += strangers.may_log(identity, 1.0)
    assert len(strangers) == 1000
    assert lines == 100


def test_what_is_larger_than_an_introduction_is_not_read(simulation: Simulation) -> None:
    sent = count_replies(simulation)
    big = wire.Metadata("m" * 10_000_000, "1", 3, wire.V4, "test", "i")
    simulation.sessions.received([b"big", *wire.encode_metadata(big)], 0.0)
    assert len(sent) == 1, "it is asked for its metadata again"
    assert len(simulation.sessions) == 0
    assert simulation.routes.versions.find(("m" * 10_000_000, "1")) is None
