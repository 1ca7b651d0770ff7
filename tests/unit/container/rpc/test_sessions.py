"""The rules across sessions, on a transport that only records its calls."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_container import wire
from clipper_container.rpc.links import HANDSHAKE_LIMIT_S, SILENCE_LIMIT_S, Link, State
from clipper_container.rpc.peers import Peers
from clipper_container.rpc.sessions import SETTLE_LIMIT_S, Sessions

A, B = "10.0.0.1:7000", "10.0.0.2:7000"
METADATA = wire.Metadata("m", "1", 3, wire.V4, "cluster", "instance")
REQUEST = wire.encode_v4_request(7, 3, [b"12345678"], 1_000_000)


class Notes:
    """A transport that records its calls."""

    def __init__(self) -> None:
        self.open: list[Link] = []
        self.sent: list[tuple[Link, wire.FromContainer]] = []

    def dial(self, link: Link, first: Sequence[bytes]) -> None:
        assert wire.decode_from_container(first) == wire.Hello()
        self.open.append(link)

    def send(self, link: Link, frames: Sequence[bytes]) -> None:
        assert link in self.open
        self.sent.append((link, wire.decode_from_container(frames)))

    def close(self, link: Link) -> None:
        self.open.remove(link)

    def link_to(self, address: str) -> Link:
        (link,) = (link for link in self.open if link.address == address)
        return link


class Replica:
    """Sessions under test, and the frontends' side of them."""

    def __init__(self, *seeds: str, proxy_only: bool = False) -> None:
        self.notes = Notes()
        peers = Peers(seeds or (A,), proxy_only=proxy_only, rng=random.Random(1))
        self.sessions = Sessions(METADATA, peers, self.notes)

    def hear(
        self, link: Link, heartbeat_type: int, frontend_id: str, peers: dict[str, str], now: float
    ) -> None:
        self.sessions.received(link, wire.encode_v4_heartbeat(heartbeat_type, frontend_id, peers), now)

    def accept(self, link: Link, frontend_id: str, peers: dict[str, str], now: float) -> None:
        self.hear(link, wire.SEND_METADATA, frontend_id, peers, now)
        self.hear(link, wire.KEEPALIVE, frontend_id, peers, now)

    def connected(self, now: float = 0.0) -> Link:
        self.sessions.upkeep(now)
        link = self.notes.link_to(A)
        self.accept(link, "a", {"a": A}, now)
        return link


def test_a_session_begins_with_hello_and_metadata() -> None:
    replica = Replica()
    assert "no query frontend" in replica.sessions.not_ready_reason()
    link = replica.connected()
    assert replica.notes.sent == [(link, METADATA)]
    assert replica.sessions.not_ready_reason() == ""


def test_every_frontend_that_is_listed_gets_a_session() -> None:
    replica = Replica()
    replica.sessions.upkeep(0.0)
    replica.accept(replica.notes.link_to(A), "a", {"a": A, "b": B}, 0.0)
    assert replica.sessions.needs_upkeep
    replica.sessions.upkeep(0.0)
    replica.accept(replica.notes.link_to(B), "b", {"a": A, "b": B}, 0.1)
    assert {link.frontend_id for link in replica.notes.open} == {"a", "b"}


def test_a_second_way_to_the_same_frontend_is_closed_before_metadata() -> None:
    replica = Replica(A, B)
    replica.connected()
    double = replica.notes.link_to(B)
    replica.notes.sent.clear()
    replica.hear(double, wire.SEND_METADATA, "a", {"a": A}, 0.1)
    assert double not in replica.notes.open
    assert replica.notes.sent == []
    assert replica.sessions.not_ready_reason() == ""


def test_two_ways_at_once_lead_to_one_session() -> None:
    replica = Replica(A, B)
    replica.sessions.upkeep(0.0)
    first, second = replica.notes.link_to(A), replica.notes.link_to(B)
    replica.hear(first, wire.SEND_METADATA, "a", {}, 0.0)
    replica.hear(second, wire.SEND_METADATA, "a", {}, 0.0)
    assert replica.notes.open == [first]


def test_a_shrinking_list_closes_nothing() -> None:
    replica = Replica(A, B)
    link = replica.connected()
    replica.accept(replica.notes.link_to(B), "b", {"b": B}, 0.0)
    replica.hear(link, wire.KEEPALIVE, "a", {"a": A}, 1.0)
    replica.sessions.upkeep(1.0)
    assert len(replica.notes.open) == 2


def test_behind_a_proxy_the_seed_is_dialled_until_every_id_has_answered() -> None:
    replica = Replica(A, proxy_only=True)
    replica.sessions.upkeep(0.0)
    everyone = {"a": "10.1.0.1:1", "b": "10.1.0.2:1"}
    replica.accept(replica.notes.link_to(A), "a", everyone, 0.0)
    now = 0.0
    for answering in ("a", "a", "b"):
        now += 5.0
        replica.sessions.upkeep(now)
        fresh = replica.notes.open[-1]
        assert fresh.address == A
        replica.accept(fresh, answering, everyone, now)
    replica.sessions.upkeep(now + 5.0)
    assert [link.frontend_id for link in replica.notes.open] == ["a", "b"]


def test_a_lost_frontend_is_dialled_again_with_a_new_link() -> None:
    replica = Replica()
    old = replica.connected()
    replica.sessions.disconnected(old, "closed", 10.0)
    assert "no query frontend" in replica.sessions.not_ready_reason()
    replica.sessions.upkeep(10.0)
    assert replica.notes.link_to(A) is not old


def test_silence_loses_a_frontend() -> None:
    replica = Replica()
    link = replica.connected()
    replica.sessions.upkeep(SILENCE_LIMIT_S - 0.1)
    assert link in replica.notes.open
    replica.sessions.upkeep(SILENCE_LIMIT_S)
    assert link not in replica.notes.open


def test_an_unanswered_hello_is_given_up() -> None:
    replica = Replica()
    replica.sessions.upkeep(0.0)
    hello = replica.notes.link_to(A)
    replica.sessions.upkeep(HANDSHAKE_LIMIT_S)
    assert hello not in replica.notes.open
    assert f"{A}: no answer" in replica.sessions.not_ready_reason()


def test_upkeep_sends_heartbeats_when_it_said_it_would() -> None:
    replica = Replica()
    link = replica.connected()
    now = replica.sessions.upkeep(0.0)
    replica.notes.sent.clear()
    for _ in range(5):
        following = replica.sessions.upkeep(now)
        assert replica.notes.sent[-1] == (link, wire.ContainerHeartbeat())
        assert 0 < following - now <= 2.0
        now = following
    assert len(replica.notes.sent) == 5


def test_batches_wait_in_the_order_of_arrival_with_their_deadline() -> None:
    replica = Replica(A, B)
    first = replica.connected()
    second = replica.notes.link_to(B)
    replica.accept(second, "b", {}, 0.0)
    for link, now in ((second, 1.0), (first, 2.0), (second, 3.0)):
        replica.sessions.received(link, REQUEST, now)
    jobs = [replica.sessions.next_job() for _ in range(4)]
    assert [(job.link, job.deadline) for job in jobs if job] == [(second, 2.0), (first, 3.0), (second, 4.0)]
    assert jobs[3] is None


def test_batches_of_a_lost_frontend_are_not_run_and_not_answered() -> None:
    replica = Replica()
    link = replica.connected()
    replica.sessions.received(link, REQUEST, 1.0)
    replica.sessions.received(link, REQUEST, 1.0)
    running = replica.sessions.next_job()
    assert running is not None
    replica.sessions.disconnected(link, "closed", 1.0)
    replica.notes.sent.clear()
    replica.sessions.answer(running, [b"x"], b"\0", 1.0)
    assert replica.sessions.next_job() is None
    assert replica.notes.sent == []


def test_an_answer_carries_its_batch_s_id_and_counts_as_a_heartbeat() -> None:
    replica = Replica()
    link = replica.connected()
    replica.sessions.received(link, REQUEST, 1.0)
    job = replica.sessions.next_job()
    assert job is not None
    replica.sessions.answer(job, [b"x"], b"\0", 1.5, run_s=0.25)
    assert replica.notes.sent[-1] == (link, wire.Answer(7, [b"x"], b"\0", 250_000))
    replica.sessions.upkeep(3.0)
    assert replica.notes.sent[-1] == (link, wire.Answer(7, [b"x"], b"\0", 250_000))


def test_a_refusal_is_logged_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    replica, now = Replica(), 0.0
    for _ in range(4):
        now += 20.0
        replica.sessions.upkeep(now)
        replica.sessions.received(replica.notes.link_to(A), wire.encode_refusal("cluster is 'other'"), now)
    assert [record.message for record in caplog.records] == [
        f"query frontend at {A}: refused this replica: cluster is 'other'; trying again"
    ]
    assert "cluster is 'other'" in replica.sessions.not_ready_reason()


def test_a_peer_that_cannot_be_dialled_is_logged_once_and_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    replica = Replica()
    link = replica.connected()
    for now in (1.0, 2.0):
        replica.hear(link, wire.KEEPALIVE, "a", {"a": A, "odd": "nowhere"}, now)
        replica.sessions.upkeep(now)
    assert len(caplog.records) == 1
    assert "nowhere" in caplog.text
    assert replica.notes.open == [link]


def test_goodbye_is_said_on_all_and_a_heartbeat_s_answer_settles() -> None:
    replica = Replica(A, B)
    link = replica.connected()
    replica.notes.sent.clear()
    replica.sessions.say_goodbye(1.0)
    assert replica.notes.sent == [(link, wire.Goodbye()), (link, wire.ContainerHeartbeat())]
    assert replica.notes.open == [link], "what was no session yet is given up"
    assert replica.sessions.not_ready_reason() == "draining"
    assert not replica.sessions.is_settled(1.1)
    replica.sessions.received(link, REQUEST, 1.1)
    replica.hear(link, wire.KEEPALIVE, "a", {"a": A, "b": B}, 1.2)
    assert not replica.sessions.is_settled(1.2), "a batch waits"
    assert replica.sessions.next_job() is not None
    assert replica.sessions.is_settled(1.2)
    replica.sessions.upkeep(1.2)
    assert replica.notes.open == [link], "nothing is dialled any more"


def test_a_goodbye_that_crosses_an_acceptance_leaves_no_batch_unanswered() -> None:
    replica = Replica()
    replica.sessions.upkeep(0.0)
    link = replica.notes.link_to(A)
    replica.hear(link, wire.SEND_METADATA, "a", {}, 0.0)
    replica.sessions.say_goodbye(0.1)
    assert (link, wire.Goodbye()) in replica.notes.sent
    replica.hear(link, wire.KEEPALIVE, "a", {}, 0.2)
    assert not replica.sessions.is_settled(0.2), "that was the acceptance, not the goodbye's answer"
    replica.sessions.received(link, REQUEST, 0.2)
    job = replica.sessions.next_job()
    assert job is not None
    replica.sessions.answer(job, [b"x"], b"\0", 0.2, run_s=0.25)
    assert replica.notes.sent[-1] == (link, wire.Answer(7, [b"x"], b"\0", 250_000))
    replica.hear(link, wire.KEEPALIVE, "a", {}, 0.3)
    assert replica.sessions.is_settled(0.3)


def test_a_frontend_that_does_not_answer_the_goodbye_is_waited_for_a_moment_only() -> None:
    replica = Replica()
    replica.connected()
    replica.sessions.say_goodbye(1.0)
    due = replica.sessions.upkeep(1.0)
    assert due <= 1.0 + SETTLE_LIMIT_S
    assert not replica.sessions.is_settled(1.0)
    assert replica.sessions.is_settled(1.0 + SETTLE_LIMIT_S)


def test_without_a_frontend_a_goodbye_is_settled_at_once() -> None:
    replica = Replica()
    replica.sessions.upkeep(0.0)
    replica.sessions.say_goodbye(0.1)
    assert replica.sessions.is_settled(0.1)


frames = st.one_of(
    st.lists(st.binary(max_size=30), max_size=4),
    st.sampled_from([REQUEST, wire.encode_refusal("no"), wire.encode_v3_heartbeat(1)]),
    st.builds(
        wire.encode_v4_heartbeat,
        st.integers(0, 2),
        st.sampled_from("ab"),
        st.dictionaries(st.sampled_from("abc"), st.sampled_from([A, B, "odd"])),
    ),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(frames, st.integers(0, 5), st.floats(0, 4)), max_size=40), st.booleans())
def test_whatever_frontends_send_there_is_one_session_each(
    steps: list[tuple[list[bytes], int, float]], proxy_only: bool
) -> None:
    replica, now = Replica(A, B, proxy_only=proxy_only), 0.0
    for message, which, pause_s in steps:
        now += pause_s
        due = replica.sessions.upkeep(now)
        assert due > now
        if replica.notes.open:
            replica.sessions.received(replica.notes.open[which % len(replica.notes.open)], message, now)
        ids = [link.frontend_id for link in replica.notes.open if link.frontend_id]
        assert len(ids) == len(set(ids))
        assert (replica.sessions.not_ready_reason() == "") == any(
            link.state is State.ACCEPTED for link in replica.notes.open
        )
