"""The addresses that are dialled, and their times."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_container.rpc.peers import FIRST_DELAY_S, MAX_DELAY_S, MAX_DOUBLE_DELAY_S, STABLE_S, Peers

A, B, C = "10.0.0.1:7000", "10.0.0.2:7000", "10.0.0.3:7000"


def peers_of(*seeds: str, proxy_only: bool = False) -> Peers:
    return Peers(seeds or (A,), proxy_only=proxy_only, rng=random.Random(1))


def due(peers: Peers, connected: set[str], now: float) -> set[str]:
    return {dial.address for dial in peers.due(connected, now)}


def test_without_a_connection_all_seeds_are_dialled_once_each() -> None:
    peers = peers_of(A, B, A)
    assert [dial.address for dial in peers.due(set(), 0.0)] == [A, B]
    assert due(peers, set(), 100.0) == set(), "a dial under way is not repeated"


def test_every_listed_id_that_is_not_connected_is_dialled_at_its_address() -> None:
    peers = peers_of(A)
    due(peers, set(), 0.0)
    peers.accepted(A, 0.0)
    assert peers.heard("a", {"a": A, "b": B, "c": C})
    assert due(peers, {"a"}, 0.0) == {B, C}
    peers.accepted(B, 0.1)
    peers.accepted(C, 0.1)
    assert due(peers, {"a", "b", "c"}, 100.0) == set()


def test_a_list_that_was_sent_before_is_not_a_change() -> None:
    peers = peers_of(A)
    assert peers.heard("a", {"a": A})
    assert not peers.heard("a", {"a": A})
    assert peers.heard("a", {"a": A, "b": B})


def test_a_peer_that_is_down_and_no_longer_listed_is_not_dialled_any_more() -> None:
    peers = peers_of(A)
    peers.heard("a", {"a": A, "b": B})
    assert due(peers, {"a"}, 0.0) == {B}
    peers.failed(B, 0.0)
    peers.heard("a", {"a": A})
    assert due(peers, {"a"}, 100.0) == set()
    assert peers.next_due({"a"}) == float("inf")


def test_a_lost_frontend_s_list_counts_no_more_once_another_is_connected() -> None:
    peers = peers_of(A)
    peers.heard("a", {"a": A, "old": C})
    peers.gone("a")
    assert due(peers, set(), 0.0) == {A, C}, "without any connection, what was known last is tried too"
    peers.failed(C, 0.0)
    peers.heard("b", {"b": B})
    assert due(peers, {"b"}, 100.0) == set()


def test_what_another_connected_frontend_lists_stays_wanted() -> None:
    peers = peers_of(A)
    peers.heard("a", {"a": A, "c": C})
    peers.heard("b", {"b": B})
    assert due(peers, {"a", "b"}, 0.0) == {C}


def test_behind_a_proxy_the_seed_is_dialled_until_every_id_is_connected() -> None:
    peers = peers_of(A, proxy_only=True)
    due(peers, set(), 0.0)
    peers.accepted(A, 0.0)
    peers.heard("a", {"a": B, "b": C})
    now = 0.0
    for _ in range(20):
        now = max(now, peers.next_due({"a"}))
        assert due(peers, {"a"}, now) == {A}, "never the advertised addresses"
        peers.doubled(A, now)
        assert peers.next_due({"a"}) <= now + MAX_DOUBLE_DELAY_S
    assert due(peers, {"a", "b"}, now + 100) == set()


def test_failures_back_off_to_the_longest_delay_with_jitter() -> None:
    peers, now, delays = peers_of(A), 0.0, []
    for attempt in range(30):
        (dial,) = peers.due(set(), now)
        assert dial.attempt == attempt
        peers.failed(A, now)
        due_at = peers.next_due(set())
        assert due(peers, set(), due_at - 0.001) == set()
        delays.append(due_at - now)
        now = due_at
    assert 0.7 * FIRST_DELAY_S <= delays[0] <= FIRST_DELAY_S
    assert all(0.7 * MAX_DELAY_S <= delay <= MAX_DELAY_S for delay in delays[-5:])
    assert len(set(delays[-5:])) == 5
    assert sum(delay < 1.0 for delay in delays) >= 4, "a frontend that restarts is found soon"


def test_a_session_that_held_makes_its_address_fresh_and_one_that_did_not_does_not() -> None:
    for lasted_s, attempt in ((STABLE_S, 0), (STABLE_S - 1, 3)):
        peers = peers_of(A)
        for _ in range(2):
            peers.due(set(), 0.0 if peers.next_due(set()) < 0 else peers.next_due(set()))
            peers.failed(A, 0.0)
        peers.due(set(), 1.0)
        peers.accepted(A, 1.0)
        (dial,) = peers.due(set(), 1.0 + lasted_s)
        assert dial.attempt == attempt


def test_a_frontend_that_restarted_after_a_long_outage_is_not_held_back_by_the_outage() -> None:
    peers, now = peers_of(A), 0.0
    for _ in range(30):
        now = max(now, peers.next_due(set()))
        peers.due(set(), now)
        peers.failed(A, now)
    now = peers.next_due(set())
    peers.due(set(), now)
    peers.accepted(A, now)
    assert peers.next_due(set()) <= now + MAX_DOUBLE_DELAY_S


ids = st.sampled_from("abcd")
lists = st.dictionaries(ids, st.sampled_from([A, B, C, "10.0.0.4:7000"]))


@settings(max_examples=25, deadline=None)
@given(st.booleans(), st.lists(st.tuples(ids, lists)), st.sets(ids), st.floats(0, 100))
def test_next_due_is_when_due_has_something(
    proxy_only: bool, told: list[tuple[str, dict[str, str]]], connected: set[str], now: float
) -> None:
    peers = peers_of(A, B, proxy_only=proxy_only)
    for frontend_id, listed in told:
        peers.heard(frontend_id, listed)
    for step in range(5):
        due_at = peers.next_due(connected)
        dialled = due(peers, connected, now)
        assert bool(dialled) == (due_at <= now)
        if not connected:
            assert due_at < float("inf") or step == 0 or not dialled
        for address in dialled:
            peers.failed(address, now)
        now = max(now, min(peers.next_due(connected), now + 100))
