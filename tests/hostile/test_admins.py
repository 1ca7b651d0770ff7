"""Many administrators at once over the management port, beside a client that behaves."""

from __future__ import annotations

from tests.support.hostile.admins import APPS, VERSIONS, Admins
from tests.support.hostile.control import controlled
from tests.support.hostile.counts import Counts
from tests.support.hostile.invariants import State, broken_rules, other_answers
from tests.support.hostile.registry import Registry
from tests.support.hostile.served import Served

CLIENTS = 20


async def test_administrators_at_once(served: Served, counts: Counts) -> None:
    registry = Registry(served)
    before, others = registry.lasting(), State.read(registry)
    admins = Admins(served.management, counts)
    with served.watch(counts):
        async with controlled(served, counts):
            await admins.work(CLIENTS)
        state = State.read(registry)
        for problem in broken_rules(state, admins.present):
            counts.wrong(problem)
        for problem in other_answers(state, served.query, APPS, VERSIONS):
            counts.wrong(problem)
        registry.delete_all_but(set(others.applications), set(others.versions))
    for database, key in sorted(registry.lasting() ^ before):
        counts.left_over(f"{key!r} in database {database}")
    counts.check()
