"""The ids of queries: whose they are, and that they never run out."""

from __future__ import annotations

from itertools import pairwise

from clipper_frontend.query.serving.query_ids import COUNT_BITS, QueryIds, number_of


def test_an_id_tells_whose_it_is_and_is_exact_as_a_double() -> None:
    ids = QueryIds()
    largest = 2**21 - 1
    ids.add(largest)
    given = [ids.next() for _ in range(3)]
    assert given == [(largest << COUNT_BITS) + count for count in range(3)]
    assert {number_of(query_id) for query_id in given} == {largest}
    assert (largest << COUNT_BITS) + 2**COUNT_BITS - 1 == 2**53 - 1


def test_two_numbers_are_wanted_and_then_one_more_for_each_used_up() -> None:
    ids = QueryIds(per_number=2)
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
    ids = QueryIds(per_number=2)
    ids.add(1)
    ids.add(2)
    given = [ids.next() for _ in range(8)]
    assert given[:4] == given[4:]
    assert all(one < other for one, other in pairwise(given[:4]))
