"""Hostile peers of the RPC socket, beside a container and a client that behave."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from tests.support.frontends.load import Answer
from tests.support.hostile.budget import Budget, random_of
from tests.support.hostile.control import Client, controlled, until
from tests.support.hostile.counts import Counts
from tests.support.hostile.registry import METADATA, REPLICAS, Registry
from tests.support.hostile.rogues import Rogues
from tests.support.hostile.rpc_grammar import ROGUE_MODEL, metadata, u32
from tests.support.hostile.served import Served

PARALLEL = 10
SLO_S = 0.5
FLOOD = 20_000
#: How the keys end that belong to the cluster and to registered models.
KNOWN = (":sums", ":echo", f":{ROGUE_MODEL}", ":sums:1", ":echo:1", "CLUSTER_NAME", "REGISTRY_EPOCHS")


@pytest.fixture
def rogue_app(served: Served) -> Iterator[str]:
    """An application whose model has rogue replicas alone."""
    connection = served.connection
    connection.register_application(ROGUE_MODEL, "doubles", "0", round(SLO_S * 1e6))
    connection.register_model(ROGUE_MODEL, 1, "doubles")
    connection.link_model_to_app(ROGUE_MODEL, ROGUE_MODEL)
    yield ROGUE_MODEL
    connection.delete_application(ROGUE_MODEL)
    connection.stop_models(ROGUE_MODEL)


def is_answered(_number: int, answer: Answer) -> str:
    """Return what is wrong: replicas that are rogues may say anything, and a default is as good."""
    return "" if answer.status == 200 else f"{answer.status} {answer.body}"


async def test_peers(served: Served, counts: Counts, rogue_app: str) -> None:
    registry = Registry(served)
    replicas = registry.keys(REPLICAS)
    rogues, budget, numbers = Rogues(served.rpc, counts), Budget("rpc"), itertools.count()

    async def misbehave() -> None:
        while budget.is_left():
            await rogues.misbehave(random_of("rpc", next(numbers)))

    with served.watch(counts):
        async with controlled(served, counts):
            floods = [rogues.flood(frames, FLOOD) for frames in ([b"", u32(2)], [u32(2)])]
            floods += [rogues.flood(metadata(4, f"large-{i}", name=f"{i}" * (16 << 20)), 1) for i in range(6)]
            client = Client(served.query, rogue_app, counts, is_answered)
            asking = [client.ask(budget.is_left) for _ in range(2)]
            await asyncio.gather(*(misbehave() for _ in range(PARALLEL)), *floods, *asking)
            rogues.close()
            await until(lambda: registry.keys(REPLICAS) == replicas)
    for lost in client.lost:
        counts.unanswered(lost)
    for key in sorted(registry.keys(METADATA)):
        if not key.endswith(KNOWN):
            counts.left_over(f"{key[:100]!r} in Redis")
    counts.check()
