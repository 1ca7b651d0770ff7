"""The prediction cache: what it keeps, and that its bound holds in real bytes."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_frontend.query.prediction.cache import (
    END_OVERHEAD_BYTES,
    ENTRY_OVERHEAD_BYTES,
    PredictionCache,
    cache_key,
)
from clipper_frontend.query.prediction.sources import Sources, source_of


def test_the_least_recently_used_goes_first() -> None:
    size = 2 + ENTRY_OVERHEAD_BYTES
    cache = PredictionCache(3 * size)
    for key in (b"a", b"b", b"c"):
        cache.put(key, b"1")
    assert cache.get(b"a") == b"1"
    cache.put(b"d", b"1")
    assert cache.get(b"b") is None
    assert [cache.get(key) for key in (b"a", b"c", b"d")] == [b"1"] * 3


@given(st.lists(st.tuples(st.binary(max_size=3), st.binary(max_size=400))), st.integers(0, 2000))
def test_never_more_than_its_bound_and_never_a_wrong_output(
    puts: list[tuple[bytes, bytes]], bound: int
) -> None:
    cache, latest = PredictionCache(bound), {}
    for key, output in puts:
        cache.put(key, output)
        latest[key] = output
        assert 0 <= cache.used_bytes <= bound
    for key, output in latest.items():
        assert cache.get(key) in (None, output)
    assert cache.used_bytes == sum(
        len(key) + len(output) + ENTRY_OVERHEAD_BYTES for key, output in cache._entries.items()
    )


def test_an_entry_is_given_until_its_end_and_then_removed() -> None:
    cache = PredictionCache(10_000)
    cache.put(b"a", b"1", 2.0)
    cache.put(b"b", b"1")
    without = cache.used_bytes - END_OVERHEAD_BYTES
    assert cache.get_fresh(b"a", 1.99) == b"1"
    assert cache.get_fresh(b"a", 2.0) is None
    assert len(cache) == 1
    assert cache.used_bytes == without // 2
    assert cache.get_fresh(b"b", 1e9) == b"1"


def test_an_entry_that_is_put_again_gets_another_end_or_none() -> None:
    cache = PredictionCache(10_000)
    cache.put(b"a", b"1", 2.0)
    cache.put(b"a", b"2", 4.0)
    assert cache.get_fresh(b"a", 3.0) == b"2"
    cache.put(b"a", b"3")
    assert cache.get_fresh(b"a", 5.0) == b"3"
    assert cache.used_bytes == 2 + ENTRY_OVERHEAD_BYTES


def test_the_ends_of_evicted_entries_are_forgotten() -> None:
    size = 2 + ENTRY_OVERHEAD_BYTES + END_OVERHEAD_BYTES
    cache = PredictionCache(2 * size)
    for key in (b"a", b"b", b"c"):
        cache.put(key, b"1", 2.0)
    assert len(cache) == len(cache._ends) == 2
    assert cache.used_bytes == 2 * size


def test_off_keeps_nothing() -> None:
    cache = PredictionCache(0)
    cache.put(b"a", b"1")
    assert not cache.enabled
    assert cache.get(b"a") is None


def test_a_purge_drops_what_a_source_gave_and_little_else_that_begins_alike() -> None:
    cache = PredictionCache(1_000_000)
    sources = (source_of("good"), source_of("bad"))
    for number in range(2000):
        cache.put(b"m:1:%d" % number, b"1", None, sources[number % 2])
        cache.put(b"m:2:%d" % number, b"1", None, sources[1])
    assert len(cache) < 4000, "some were evicted"
    before = set(cache._entries)
    cache.purge(b"m:1:", frozenset({sources[1]}))
    left = set(cache._entries)
    assert {key for key in before if key.startswith(b"m:2:")} <= left
    numbers = [int(key[4:]) for key in left if key.startswith(b"m:1:")]
    assert all(number % 2 == 0 for number in numbers)
    assert len(numbers) > 0.6 * sum(key.startswith(b"m:1:") for key in before) / 2
    assert cache.used_bytes == sum(len(key) + 1 + ENTRY_OVERHEAD_BYTES for key in left)


def test_a_source_is_never_missed_however_few_buckets_there_are() -> None:
    sources = Sources(2)
    for number in range(1000):
        sources.add(b"%d" % number, number % 3)
    for number in range(999):
        sources.remove(b"%d" % number)
    assert sources.may_be(b"999", frozenset({0}))


def test_a_bucket_that_is_empty_again_takes_another_source() -> None:
    sources = Sources(1)
    for source in (1, 2):
        sources.add(b"a", source)
        assert sources.may_be(b"a", frozenset({source}))
        assert not sources.may_be(b"a", frozenset({3 - source}))
        sources.remove(b"a")


@pytest.mark.parametrize("ends", [False, True])
def test_the_bound_is_what_memory_it_takes(ends: bool) -> None:
    bound = 2_000_000
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        cache = PredictionCache(bound)
        for number in range(20_000):
            cache.put(os.urandom(80), b"%d.5" % number, number + 0.5 if ends else None)
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.7 * bound < used < 1.05 * bound


def test_keys_tell_registrations_and_inputs_apart() -> None:
    large = bytes(1000)
    keys = {
        cache_key(b"m:1:x:", b"a"),
        cache_key(b"m:1:y:", b"a"),
        cache_key(b"m:1:x:", b"b"),
        cache_key(b"m:1:x:", large),
        cache_key(b"m:1:x:", large[:-1] + b"\1"),
    }
    assert len(keys) == 5
    assert all(len(key) < 64 for key in keys)
