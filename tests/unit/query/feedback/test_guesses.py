"""Wrong guesses of query ids: how many a peer has, and what it may do after them."""

from __future__ import annotations

import pytest

from clipper_frontend.query.feedback.guesses import MAX_AT_ONCE, Guesses


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_peer_that_guesses_is_not_heard_until_time_has_passed(clock: Clock) -> None:
    guesses = Guesses(clock)
    for _ in range(int(MAX_AT_ONCE)):
        assert not guesses.slows(lambda: "10.0.0.1")
        guesses.note("10.0.0.1")
    assert guesses.slows(lambda: "10.0.0.1")
    assert not guesses.slows(lambda: "10.0.0.2")
    clock.now += 1.0
    assert not guesses.slows(lambda: "10.0.0.1")
    guesses.note("10.0.0.1")
    assert guesses.slows(lambda: "10.0.0.1")


def test_a_guesser_gets_one_guess_a_second_in_the_long_run(clock: Clock) -> None:
    guesses, made = Guesses(clock), 0
    for _ in range(100_000):
        clock.now += 0.01
        if not guesses.slows(lambda: "10.0.0.1"):
            guesses.note("10.0.0.1")
            made += 1
    assert made <= 1000 + MAX_AT_ONCE


def test_a_network_of_ipv6_is_one_peer(clock: Clock) -> None:
    guesses = Guesses(clock)
    for number in range(int(MAX_AT_ONCE)):
        guesses.note(f"2001:db8::{number:x}")
    assert guesses.slows(lambda: "2001:db8::ffff:1")
    assert not guesses.slows(lambda: "2001:db8:0:1::1")
    assert not guesses.slows(lambda: "::ffff:10.0.0.1")


def test_no_peer_is_looked_up_while_nobody_has_guessed(clock: Clock) -> None:
    def ask() -> str:
        raise AssertionError("the peer is asked for")

    assert not Guesses(clock).slows(ask)


def test_many_peers_take_bounded_memory(clock: Clock) -> None:
    guesses = Guesses(clock)
    for number in range(10_000):
        guesses.note(str(number))
    assert len(guesses) == 1000
