"""One session's state machine."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_container.rpc.links import (
    HANDSHAKE_LIMIT_S,
    HEARTBEAT_INTERVAL_S,
    SILENCE_LIMIT_S,
    Link,
    Outcome,
    State,
)
from clipper_container.wire import (
    KEEPALIVE,
    SEND_METADATA,
    FromFrontend,
    FrontendHeartbeat,
    Refusal,
    Request,
)

OFFER = FrontendHeartbeat(SEND_METADATA, "f1", {"f1": "127.0.0.1:1"})
KEEP = FrontendHeartbeat(KEEPALIVE, "f1", {"f1": "127.0.0.1:1"})
V3_OFFER = FrontendHeartbeat(SEND_METADATA, "", None)
OTHER = FrontendHeartbeat(KEEPALIVE, "f2", {})
REQUEST = Request(1, 3, [b""], 1000)
REFUSAL = Refusal("another cluster")
MESSAGES = [OFFER, KEEP, V3_OFFER, OTHER, REQUEST, REFUSAL]


def accepted(now: float = 0.0) -> Link:
    link = Link("127.0.0.1:1", 0, now)
    assert link.receive(OFFER, now) is Outcome.OFFERED
    link.sent_metadata(now)
    assert link.receive(KEEP, now) is Outcome.ACCEPTED
    return link


def test_a_session_is_hello_offer_metadata_keepalive() -> None:
    link = accepted()
    assert link.state is State.ACCEPTED
    assert link.frontend_id == "f1"
    assert link.receive(REQUEST, 1.0) is Outcome.REQUESTED
    assert link.receive(KEEP, 1.0) is Outcome.HEARD


def test_a_refusal_ends_a_session_in_any_state() -> None:
    for link in (Link("a:1", 0, 0.0), accepted()):
        assert link.receive(REFUSAL, 1.0) is Outcome.REFUSED
        assert link.state is State.CLOSED
        assert link.reason == "another cluster"


def test_a_batch_before_acceptance_breaks_the_session() -> None:
    assert Link("a:1", 0, 0.0).receive(REQUEST, 1.0) is Outcome.BROKEN


def test_a_frontend_of_version_3_is_recognised() -> None:
    link = Link("a:1", 0, 0.0)
    assert link.receive(V3_OFFER, 1.0) is Outcome.BROKEN
    assert "version 3" in link.reason


def test_a_frontend_that_asks_again_has_forgotten_this_replica() -> None:
    link = accepted()
    assert link.receive(OFFER, 1.0) is Outcome.BROKEN
    assert "no longer knows" in link.reason


def test_an_offer_sent_twice_does_not_break_the_handshake() -> None:
    link = Link("a:1", 0, 0.0)
    link.receive(OFFER, 0.0)
    link.sent_metadata(0.0)
    assert link.receive(OFFER, 0.1) is Outcome.HEARD
    assert link.receive(KEEP, 0.2) is Outcome.ACCEPTED


def test_another_id_on_one_session_breaks_it() -> None:
    assert accepted().receive(OTHER, 1.0) is Outcome.BROKEN


def test_the_heartbeat_after_a_goodbye_settles() -> None:
    for answer in (KEEP, OFFER):
        link = accepted()
        link.sent_heartbeat(0.5)
        link.said_goodbye = True
        link.sent_heartbeat(1.0)
        assert link.receive(REQUEST, 1.0) is Outcome.REQUESTED
        assert link.receive(KEEP, 1.0) is Outcome.HEARD
        assert not link.is_settled, "that answered the heartbeat before the goodbye"
        assert link.receive(answer, 1.0) is Outcome.HEARD
        assert link.is_settled


def test_heartbeats_are_due_after_a_pause_of_sending_only() -> None:
    link = accepted()
    assert not link.heartbeat_is_due(HEARTBEAT_INTERVAL_S - 0.01)
    assert link.heartbeat_is_due(HEARTBEAT_INTERVAL_S)
    link.sent(1.0)
    assert not link.heartbeat_is_due(HEARTBEAT_INTERVAL_S)
    assert not Link("a:1", 0, 0.0).heartbeat_is_due(100.0)


def test_silence_makes_an_accepted_session_overdue() -> None:
    link = accepted()
    link.receive(KEEP, 5.0)
    assert link.overdue(5.0 + SILENCE_LIMIT_S - 0.01) == ""
    assert "silent" in link.overdue(5.0 + SILENCE_LIMIT_S)


def test_a_handshake_has_its_own_shorter_limit() -> None:
    link = Link("a:1", 0, 0.0)
    link.receive(OFFER, 9.0)
    link.sent_metadata(9.0)
    assert link.overdue(HANDSHAKE_LIMIT_S - 0.01) == ""
    assert link.overdue(HANDSHAKE_LIMIT_S) == "no answer"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(MESSAGES), st.floats(0, 5))))
def test_whatever_comes_in_whatever_order_keeps_the_rules(steps: list[tuple[FromFrontend, float]]) -> None:
    link, now = Link("a:1", 0, 0.0), 0.0
    for message, pause_s in steps:
        now += pause_s
        before = link.state
        outcome = link.receive(message, now)
        if outcome is Outcome.OFFERED:
            assert before is State.HELLO_SENT
            link.sent_metadata(now)
        if outcome is Outcome.ACCEPTED:
            assert before is State.METADATA_SENT
        if outcome is Outcome.REQUESTED:
            assert before is State.ACCEPTED
        if outcome in (Outcome.REFUSED, Outcome.BROKEN):
            assert link.state is State.CLOSED
            assert link.reason
            return
        due = link.next_due()
        assert link.overdue(due) or link.heartbeat_is_due(due), "next_due() promises work"
        if due - now > 0.001:
            assert not link.overdue(due - 0.001)
            assert not link.heartbeat_is_due(due - 0.001)
