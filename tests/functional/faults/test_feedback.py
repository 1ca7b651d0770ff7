"""Feedback while frontends are killed and Redis goes away: all that is acknowledged is in Redis, once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.frontends.cluster import Cluster
from tests.support.frontends.feedback_cluster import (
    ACCEPTED,
    DUPLICATE,
    ENSEMBLE,
    LATE,
    RIGHT,
    add_app,
    counters,
    query,
    serve_two,
    update,
)
from tests.support.frontends.load import LOST, Connection, doubles_body
from tests.support.processes import QueryFrontend, eventually

CLIENTS = 8
PER_CLIENT = 150


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Two frontends and an ensemble that counts every feedback."""
    with Cluster(2) as started:
        serve_two(started)
        add_app(started, "vote", ENSEMBLE)
        yield started


class Client:
    """Sends feedback for the queries of both frontends to both, and counts the answers it gets."""

    def __init__(self, cluster: Cluster, query_ids: list[int], first: int) -> None:
        self.addresses = [frontend.rest for frontend in cluster.frontends]
        self.query_ids = query_ids
        self.first = first
        self.answers: Counter[str] = Counter()
        self.open = dict.fromkeys(query_ids, 0)

    async def run(self, kill: Callable[[], Awaitable[None]]) -> None:
        """Send feedback for all queries, once each; half of it before `kill` returns."""
        connections = [Connection(address) for address in self.addresses]
        for number, query_id in enumerate(self.query_ids):
            if number == len(self.query_ids) // 2:
                await kill()
            await self._send(connections[(number + self.first) % 2], query_id)
        for connection in connections:
            await connection.close()

    async def _send(self, connection: Connection, query_id: int) -> None:
        body = json.dumps({"query_id": query_id, "label": RIGHT}).encode()
        try:
            answer = await connection.post("/vote/update", body)
        except LOST:
            await connection.close()
            self.answers["unanswered"] += 1
            return
        word = answer.body.get("feedback", "refused")
        self.answers[word] += 1
        if word in ("accepted", "late"):
            del self.open[query_id]


@pytest.mark.parametrize("max_in_flight", [0, CLIENTS])
async def test_one_of_two_frontends_is_killed_and_redis_holds_what_was_acknowledged(
    cluster: Cluster, max_in_flight: int
) -> None:
    doomed, survivor = cluster.frontends
    query_ids = await _ask(cluster, CLIENTS * PER_CLIENT)
    clients = [Client(cluster, query_ids[number::CLIENTS], number) for number in range(CLIENTS)]
    # Either all clients wait while the frontend is killed, or the others go on.
    together = asyncio.Barrier(CLIENTS)

    async def kill() -> None:
        if not max_in_flight:
            await together.wait()
        doomed.kill()

    await asyncio.gather(*(client.run(kill) for client in clients))
    answers = sum((client.answers for client in clients), Counter[str]())
    assert answers["accepted"] > CLIENTS * PER_CLIENT / 4
    assert answers["unanswered"] > 0

    # Feedback on the survivor's own answers may come again; that on the killed one's is late in the end.
    for client in clients:
        for query_id in tuple(client.open):
            word = await asyncio.to_thread(_settled, survivor, query_id)
            answers[word] += 1
    acknowledged = answers["accepted"] + answers["duplicate"]
    assert acknowledged + answers["late"] == CLIENTS * PER_CLIENT
    in_redis = counters(cluster, "vote")
    # Redis may have what was in flight without an acknowledgement: one feedback of each client.
    assert acknowledged <= in_redis["rounds"] <= acknowledged + max_in_flight
    assert in_redis["count:right"] == in_redis["count:wrong"] == in_redis["rounds"]
    assert in_redis["loss:wrong"] == in_redis["rounds"] * 1_000_000


async def _ask(cluster: Cluster, count: int) -> list[int]:
    """Ask `count` queries, of both frontends in turn, and return their ids."""
    connections = [Connection(frontend.rest) for frontend in cluster.frontends]
    ids = []
    for number in range(count):
        answer = await connections[number // 2 % 2].post("/vote/predict", doubles_body(number))
        ids.append(int(answer.body["query_id"]))
    for connection in connections:
        await connection.close()
    return ids


def _settled(frontend: QueryFrontend, query_id: int) -> str:
    """Send feedback until it is not refused any more, and return the word of the answer."""
    words: list[str] = []

    def sent() -> bool:
        status, answer = update(frontend, "vote", query_id=query_id, label=RIGHT)
        words.append(answer["feedback"] if status == 200 else "")
        return status == 200

    eventually(sent, f"feedback for {query_id} is not refused any more")
    return words[-1]


def test_feedback_for_a_killed_frontend_is_refused_until_it_is_known_to_be_gone(cluster: Cluster) -> None:
    doomed, survivor = cluster.frontends
    query_id = query(doomed, "vote")
    doomed.kill()
    status, answer = update(survivor, "vote", query_id=query_id, label=RIGHT)
    assert status == 503
    assert "Send the feedback again" in answer["cause"]
    assert _settled(survivor, query_id) == LATE["feedback"]
    assert counters(cluster, "vote") == {}


def test_without_redis_feedback_is_refused_and_counts_once_when_it_is_sent_again(cluster: Cluster) -> None:
    here, elsewhere = cluster.frontends
    query_ids = [query(here, "vote", float(number)) for number in range(20)]
    cluster.redis.stop()
    for query_id in query_ids:
        assert update(here, "vote", query_id=query_id, label=RIGHT)[0] == 503
    assert update(elsewhere, "vote", query_id=query_ids[0], label=RIGHT)[0] == 503
    cluster.redis.start()
    assert {_settled(here, query_id) for query_id in query_ids} == {ACCEPTED["feedback"]}
    assert {_settled(here, query_id) for query_id in query_ids} == {DUPLICATE["feedback"]}
    assert counters(cluster, "vote")["rounds"] == len(query_ids)


def test_feedback_sent_to_a_silent_redis_counts_once_whether_it_arrives_or_not(cluster: Cluster) -> None:
    here = cluster.frontend
    query_ids = [query(here, "vote", float(number)) for number in range(8)]
    # From now on Redis has the script and an open connection: it runs what it receives after the pause.
    assert _settled(here, query(here, "vote", 100.0)) == ACCEPTED["feedback"]
    cluster.redis.pause()
    with ThreadPoolExecutor(len(query_ids)) as pool:
        first: list[tuple[int, Any]] = list(
            pool.map(lambda query_id: update(here, "vote", query_id=query_id, label=RIGHT), query_ids)
        )
    cluster.redis.resume()
    assert {status for status, _ in first} == {503}
    words = {_settled(here, query_id) for query_id in query_ids}
    assert words <= {ACCEPTED["feedback"], DUPLICATE["feedback"]}
    assert {_settled(here, query_id) for query_id in query_ids} == {DUPLICATE["feedback"]}
    assert counters(cluster, "vote")["rounds"] == 1 + len(query_ids)
