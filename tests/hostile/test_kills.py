"""Kills and stops of every process of a local cluster under load."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.frontends.load import Answer
from tests.support.hostile.budget import Budget, random_of
from tests.support.hostile.control import Client
from tests.support.hostile.counts import Counts
from tests.support.hostile.families import SUPERVISORD
from tests.support.hostile.victims import APP, Victims

CLIENTS = 4
#: A frontend that has just started says so.
STATUSES = (200, 503)


def is_right_or_default(number: int, answer: Answer) -> str:
    """Return what is wrong with an answer: a default is as good as a prediction."""
    right = answer.is_default or answer.body["output"] == number + 0.5
    return "" if right and answer.status in STATUSES else f"{answer.status} {answer.body}"


async def test_kills(tmp_path: Path, counts: Counts) -> None:
    victims = Victims(tmp_path, counts)
    with victims.cluster:
        before_mb = victims.memory_mb()
        clients = [Client(victims.query, APP, counts, is_right_or_default) for _ in range(CLIENTS)]
        going = [True]
        asking = [asyncio.create_task(client.ask(lambda: bool(going))) for client in clients]
        try:
            await end_all(victims, clients, counts)
        finally:
            going.clear()
            await asyncio.gather(*asking)
        counts.memory_mb = (before_mb, victims.memory_mb())
    counts.check()


async def end_all(victims: Victims, clients: list[Client], counts: Counts) -> None:
    """Kill each process, and stop each while there is time, in any order; the supervisor comes last."""
    budget, round_number = Budget("kills"), 0
    while round_number == 0 or budget.is_left():
        rng = random_of("kills", round_number)
        acts = [(act, name) for name in victims.names for act in (victims.kill, victims.stop)]
        rng.shuffle(acts)
        acts += [(victims.stop, SUPERVISORD), (victims.kill, SUPERVISORD)]
        for act, name in acts:
            if act == victims.stop and not budget.is_left():
                continue
            for client in clients:
                client.lost.clear()
            await asyncio.to_thread(act, name)
            # Only the connections to a query frontend that was killed may end; a start may replace them all.
            if act == victims.stop or not name.startswith(("query-frontend", SUPERVISORD)):
                for lost in (lost for client in clients for lost in client.lost):
                    counts.wrong(f"{lost}, when {name} was the victim")
        round_number += 1
