"""Hostile requests to both REST ports, beside a client that behaves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial

from clipper_frontend.management.calls import CALLS
from tests.support.hostile.admin_calls import any_admin_call
from tests.support.hostile.budget import Budget, random_of
from tests.support.hostile.control import controlled
from tests.support.hostile.conversation import converse
from tests.support.hostile.counts import Counts
from tests.support.hostile.http_grammar import Call, last, pieces, right
from tests.support.hostile.query_calls import any_query
from tests.support.hostile.registry import Registry
from tests.support.hostile.served import APPS, CONTROL_APP, Served

PARALLEL = 8
MAX_PIPELINED = 6

MakeCall = Callable[[random.Random], Call]


async def fuzz(served: Served, counts: Counts, calls: dict[str, MakeCall]) -> None:
    """Talk to the addresses, the keys of `calls`, over a new connection for each case, until time is up."""
    budget, numbers = Budget("rest"), iter(range(10**9))

    async def talk() -> None:
        while budget.is_left():
            number = next(numbers)
            rng = random_of("rest", number)
            address = rng.choice(list(calls))
            make = calls[address]
            requests = [right(rng, make(rng)) for _ in range(rng.randrange(MAX_PIPELINED))]
            requests.append(last(rng, make(rng)) if rng.random() < 0.7 else right(rng, make(rng)))
            segments = pieces(rng, b"".join(request.data for request in requests))
            counts.cases += len(requests)
            await converse(
                address, requests, segments, counts, f"case {number}", lingers=address == served.query
            )

    async with controlled(served, counts):
        await asyncio.gather(*(talk() for _ in range(PARALLEL)))


async def test_requests(served: Served, counts: Counts) -> None:
    registry = Registry(served)
    before = registry.lasting()
    admin_call = partial(any_admin_call, names=tuple(CALLS))
    with served.watch(counts):
        await fuzz(served, counts, {served.query: any_query, served.management: admin_call})
        registry.delete_all_but({CONTROL_APP, *APPS}, {"sums:1", "echo:1"})
    for database, key in sorted(registry.lasting() ^ before):
        counts.left_over(f"{key!r} in database {database}")
    counts.check()
