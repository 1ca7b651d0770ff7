"""Queries that arrive in an open loop at a given rate, or in a closed loop, from a process of its own.

Run as a module it prints its result as JSON; `run_arrivals` does so and reads it. In the open loop arrivals
are Poisson's, no query waits for the answer to another, and each latency counts from the scheduled arrival.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from tests.support.frontends.load import LOST, Answer, Connection, SteadyLoad

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Arrivals:
    """Counts of queries: `in_time` ones were answered in time, `useful` ones by a model as well."""

    seconds: float
    sent: int
    unanswered: int
    in_time: int
    useful: int
    reasons: dict[str, int]
    slowest_s: float


def run_arrivals(
    address: str, app: str, *, seconds: float, limit_s: float, per_s: float = 0, connections: int = 0
) -> Arrivals:
    """Send queries, `per_s` in an open loop or from `connections` in a closed one; `limit_s` is in time."""
    command = [sys.executable, "-m", "tests.benchmarks.arrivals", address, app]
    command += [str(seconds), str(limit_s), str(per_s), str(connections)]
    finished = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"arrivals failed:\n{finished.stderr}")
    return Arrivals(**json.loads(finished.stdout))


class OpenLoop:
    """Sends each query when it is due, on a free connection, or on a new one.

    `numbers` holds, for each of `answers`, the first number that was asked.
    """

    def __init__(self, address: str, app: str) -> None:
        self.answers: list[Answer] = []
        self.numbers: list[float] = []
        self.unanswered = 0
        self._address = address
        self._path = f"/{app}/predict"
        self._free: list[Connection] = []
        self._random = random.Random()  # no seed: a query asked before would be answered from the cache

    async def run(self, seconds: float, per_s: float) -> float:
        """Send for `seconds`, wait for the outstanding answers, and return the whole time."""
        started_s = due_s = time.perf_counter()
        async with asyncio.TaskGroup() as queries:
            while due_s - started_s < seconds:
                await asyncio.sleep(max(due_s - time.perf_counter(), 0))
                queries.create_task(self._query(due_s))
                due_s += self._random.expovariate(per_s)
        took_s = time.perf_counter() - started_s
        for connection in self._free:
            await connection.close()
        return took_s

    async def _query(self, due_s: float) -> None:
        connection = self._free.pop() if self._free else Connection(self._address)
        number = self._random.random()
        body = b'{"input": [%r, 0.5]}' % number
        try:
            answer = await connection.post(self._path, body)
        except LOST:
            self.unanswered += 1
            await connection.close()
        else:
            late_s = answer.sent_s - due_s
            self.answers.append(Answer(due_s, answer.latency_s + late_s, answer.status, answer.body))
            self.numbers.append(number)
        self._free.append(connection)


async def _open_loop(address: str, app: str, seconds: float, limit_s: float, per_s: float) -> Arrivals:
    loop = OpenLoop(address, app)
    took_s = await loop.run(seconds, per_s)
    return _summarise(loop.answers, loop.unanswered, took_s, limit_s)


async def _closed_loop(address: str, app: str, seconds: float, limit_s: float, connections: int) -> Arrivals:
    started_s = time.perf_counter()
    async with SteadyLoad(address, app, connections=connections, pause_s=0) as load:
        await asyncio.sleep(seconds)
    return _summarise(load.answers, len(load.lost), time.perf_counter() - started_s, limit_s)


def _summarise(answers: list[Answer], unanswered: int, seconds: float, limit_s: float) -> Arrivals:
    in_time = [answer for answer in answers if answer.latency_s <= limit_s]
    return Arrivals(
        seconds=seconds,
        sent=len(answers) + unanswered,
        unanswered=unanswered,
        in_time=len(in_time),
        useful=sum(not answer.is_default for answer in in_time),
        reasons=dict(Counter(answer.body["default_reason"] for answer in answers if answer.is_default)),
        slowest_s=max((answer.latency_s for answer in answers), default=0.0),
    )


def main() -> None:
    """Run one load and print its outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("app")
    for name in ("seconds", "limit_s", "per_s"):
        parser.add_argument(name, type=float)
    parser.add_argument("connections", type=int)
    given = parser.parse_args()
    if given.connections:
        running = _closed_loop(given.address, given.app, given.seconds, given.limit_s, given.connections)
    else:
        running = _open_loop(given.address, given.app, given.seconds, given.limit_s, given.per_s)
    print(json.dumps(asdict(uvloop.run(running))))


if __name__ == "__main__":
    main()
