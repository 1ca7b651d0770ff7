"""The ids of queries: whose they are, and that they never run out."""

from __future__ import annotations

import itertools
import random
import secrets

import numpy as np
from hypothesis import given as for_all
from hypothesis import strategies as st

from clipper_frontend.query.serving.permutation import Permutation
from clipper_frontend.query.serving.query_ids import COUNT_BITS, QueryIds, number_of

KEY = b"k" * 32
PERMUTATION = Permutation(KEY, 7)


def made(key: bytes = KEY, number: int = 7, count: int = 5000) -> list[int]:
    ids = QueryIds(key)
    ids.add(number)
    return [ids.next() for _ in range(count)]


def test_an_id_tells_whose_it_is_and_is_exact_as_a_double() -> None:
    largest = 2**21 - 1
    given = made(number=largest)
    assert len(set(given)) == len(given)
    assert {number_of(query_id) for query_id in given} == {largest}
    assert all(query_id < 2**53 for query_id in given)
    assert (largest << COUNT_BITS) + 2**COUNT_BITS - 1 == 2**53 - 1


@for_all(st.integers(0, 2**32 - 1))
def test_a_value_has_one_count(count: int) -> None:
    (value,) = PERMUTATION.values(count, 1)
    assert 0 <= value < 2**32
    assert PERMUTATION.count_of(value) == count


def test_who_knows_one_id_knows_no_other() -> None:
    given = made()
    steps = {abs(one - other) for one, other in itertools.pairwise(given)}
    assert len(steps) > len(given) * 0.99, "no step comes again"
    assert min(steps) > 1000
    bits = np.array(given)[:, None] >> np.arange(COUNT_BITS) & 1
    assert (np.abs(bits.mean(axis=0) - 0.5) < 0.05).all(), "each bit is set in half of the ids"
    differing = (bits[1:] != bits[:-1]).mean(axis=0)
    assert (np.abs(differing - 0.5) < 0.05).all(), "the next id differs in each bit half of the time"


def test_another_key_or_number_gives_other_ids() -> None:
    low = [{query_id & 0xFFFFFFFF for query_id in ids} for ids in (made(), made(b"x" * 32), made(number=8))]
    for one, other in itertools.combinations(low, 2):
        assert len(one & other) < 5


def test_an_id_that_was_never_given_is_told_from_one_that_was() -> None:
    ids = QueryIds(secrets.token_bytes(32))
    ids.add(7)
    ids.add(8)
    given = [ids.next() for _ in range(3000)]
    assert all(ids.was_issued(query_id) for query_id in given)
    guesses = [7 << COUNT_BITS | random.getrandbits(COUNT_BITS) for _ in range(3000)]
    assert not any(ids.was_issued(query_id) for query_id in guesses)
    assert not ids.was_issued(8 << COUNT_BITS), "its number is in reserve"
    assert not ids.was_issued(given[0] ^ 1 << COUNT_BITS + 5), "it has another frontend's number"


def test_two_numbers_are_wanted_and_then_one_more_for_each_used_up() -> None:
    ids = QueryIds(KEY, per_number=2)
    for number in (5, 9):
        assert ids.wants_number()
        ids.add(number)
    assert not ids.wants_number()
    assert list(ids.numbers) == [5, 9]
    numbers = [number_of(ids.next()) for _ in range(2)]
    assert not ids.wants_number()
    numbers.append(number_of(ids.next()))
    assert numbers == [5, 5, 9]
    assert ids.wants_number()
    ids.add(12)
    assert list(ids.numbers) == [5, 9, 12]


def test_without_a_new_number_the_oldest_ids_come_again() -> None:
    ids = QueryIds(KEY, per_number=2)
    ids.add(1)
    ids.add(2)
    given = [ids.next() for _ in range(8)]
    assert given[:4] == given[4:]
    assert len(set(given)) == 4
