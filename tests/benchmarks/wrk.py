"""The load generator wrk: its runs and their results."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.machine import MAX_OTHERS_CORES, OthersWatch

_SCRIPT = Path(__file__).with_name("queries.lua")


@dataclass(frozen=True)
class Queries:
    """A load: numbers in a query, their decimals, and whether it is always the same query."""

    features: int = 10
    decimals: int = 16
    same: bool = False
    per_write: int = 1


@dataclass(frozen=True)
class WrkResult:
    """The counts of wrk; `errors` are lost connections, time-outs and statuses that are not 2xx or 3xx.

    `others_cores` is what processes outside of the benchmark used meanwhile.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int
    others_cores: float

    @property
    def undisturbed(self) -> bool:
        """Return whether other processes left the machine to this run."""
        return self.others_cores <= MAX_OTHERS_CORES

    @property
    def per_s(self) -> float:
        """Return answered requests per second."""
        return self.requests / self.seconds


RANDOM = Queries()
SAME = Queries(same=True)


def load(address: str, app: str, *, connections: int, seconds: float, queries: Queries = RANDOM) -> WrkResult:
    """Ask over `connections` keep-alive connections, each with one write on its way, for so long."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{round(seconds)}s"]
    command += ["--timeout", "30s", "--script", str(_SCRIPT), f"http://{address}/{app}/predict", "--"]
    command += [str(queries.features), str(queries.decimals), "fixed" if queries.same else "random"]
    # Runs in the same second need different seeds: the cache would answer equal queries.
    command += [str(queries.per_write), str(random.getrandbits(31))]
    watch = OthersWatch()
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    others_cores = watch.cores()
    for line in finished.stdout.splitlines():
        if line.startswith("RESULT "):
            return WrkResult(**json.loads(line.removeprefix("RESULT ")), others_cores=others_cores)
    raise RuntimeError(f"wrk failed ({finished.returncode}):\n{finished.stdout}{finished.stderr}")
