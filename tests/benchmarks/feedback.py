"""Feedback per second by query id on one frontend, each acknowledged once Redis has it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.support.frontends.cluster import Cluster
from tests.support.frontends.feedback_cluster import RIGHT, add_app, counters, serve_two
from tests.support.frontends.load import Connection
from tests.support.processes import QueryFrontend

TARGET_PER_S = 5000
_APP = "bandit"
_POLICY = {"name": "exp3", "loss": "zero_one"}
_CONNECTIONS = 32
#: Few enough that a frontend remembers all queries of a round.
_PER_CONNECTION = 500
#: Requests that are sent at once, so that the client costs less than the frontend.
_PIPELINED = 16
_READ_BYTES = 65_536


@dataclass(frozen=True)
class Round:
    """Feedback that was sent, how much of it was accepted, and in what time."""

    sent: int
    accepted: int
    seconds: float


def measure_feedback(plan: Plan) -> list[Figure]:
    """Ask queries of a bandit, and send feedback for all of them, in rounds."""
    with Cluster() as cluster:
        serve_two(cluster)
        add_app(cluster, _APP, _POLICY)
        rounds = [asyncio.run(_measure(cluster.frontend)) for _ in range(plan.rounds)]
        in_redis = counters(cluster, _APP)["rounds"]
    accepted = sum(one.accepted for one in rounds)
    wrong = "" if accepted == in_redis else f"{accepted} were accepted, and Redis has {in_redis}"
    per_s = statistics.median(one.accepted / one.seconds for one in rounds)
    raw = [asdict(one) for one in rounds]
    return [Figure("feedback on one frontend", per_s, TARGET_PER_S, "/s", invalid_because=wrong, raw=raw)]


async def _measure(frontend: QueryFrontend) -> Round:
    ids = await asyncio.gather(*(_ask(frontend) for _ in range(_CONNECTIONS)))
    started_s = time.perf_counter()
    accepted = sum(await asyncio.gather(*(_send(frontend, some) for some in ids)))
    return Round(_CONNECTIONS * _PER_CONNECTION, accepted, time.perf_counter() - started_s)


async def _ask(frontend: QueryFrontend) -> list[int]:
    """Ask queries over one connection, and return their ids."""
    connection = Connection(frontend.rest)
    answers = [await connection.post(f"/{_APP}/predict", b'{"input":[1.0]}') for _ in range(_PER_CONNECTION)]
    await connection.close()
    return [answer.body["query_id"] for answer in answers]


async def _send(frontend: QueryFrontend, query_ids: Sequence[int]) -> int:
    """Send feedback over one connection, and return how much was accepted."""
    host, _, port = frontend.rest.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    accepted = 0
    for start in range(0, len(query_ids), _PIPELINED):
        requests = [_request(query_id) for query_id in query_ids[start : start + _PIPELINED]]
        writer.write(b"".join(requests))
        received = b""
        while received.count(b"}") < len(requests):
            data = await reader.read(_READ_BYTES)
            if not data:
                raise ConnectionError("the frontend closed the connection")
            received += data
        accepted += received.count(b'"accepted"')
    writer.close()
    await writer.wait_closed()
    return accepted


def _request(query_id: int) -> bytes:
    body = b'{"query_id":%d,"label":%d}' % (query_id, RIGHT)
    head = b"POST /%b/update HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n"
    return head % (_APP.encode(), len(body)) + body
