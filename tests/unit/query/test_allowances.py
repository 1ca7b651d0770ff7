"""Allowances of peers: what one may spend at once, what comes back, and what many of them cost."""

from __future__ import annotations

from clipper_frontend.allowances import Allowances


def test_what_was_spent_comes_back_at_a_rate_and_never_above_the_whole() -> None:
    allowances: Allowances[str] = Allowances(at_once=3.0, per_s=2.0)
    assert [allowances.spend("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert allowances.allows("b", 0.0)
    assert not allowances.allows("a", 0.25)
    assert [allowances.spend("a", 0.5) for _ in range(2)] == [True, False]
    assert [allowances.spend("a", 100.0) for _ in range(4)] == [True, True, True, False]


def test_a_refusal_does_not_delay_the_next_token() -> None:
    allowances: Allowances[str] = Allowances(at_once=1.0, per_s=1.0)
    assert allowances.spend("a", 0.0)
    assert not any(allowances.spend("a", number / 64) for number in range(64))
    assert allowances.spend("a", 1.0)


def test_a_peer_with_its_full_allowance_takes_no_memory() -> None:
    allowances: Allowances[str] = Allowances(at_once=2.0, per_s=1.0)
    allowances.spend("a", 0.0)
    assert len(allowances) == 1
    assert allowances.allows("a", 1.0)
    assert len(allowances) == 0


def test_of_many_peers_the_one_that_began_first_is_forgotten_first() -> None:
    allowances: Allowances[int] = Allowances(at_once=1.0, per_s=0.001)
    for peer in range(1001):
        allowances.spend(peer, 0.0)
    assert len(allowances) == 1000
    assert [allowances.allows(peer, 0.0) for peer in (0, 1, 1000)] == [True, False, False]
