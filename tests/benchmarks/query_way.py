"""The way of a query: the source files that one predict enters in a query frontend, in their order.

`python -m tests.benchmarks.query_way` asks a real frontend, with a real replica, for a prediction that is not
in the cache. Its Python calls are recorded from the request's first byte until its answer is written, those
that handle the replica's answer included.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from tests.support.frontends.cluster import CLUSTER_NAME, Cluster, predict
from tests.support.models import row_sums
from tests.support.processes import Process, eventually

_APP = "way"
_TARGET = f" /{_APP}/predict".encode()
_PACKAGES = ("clipper_frontend", "clipper_container")
# Other work of the frontend may fall into one query's way, and the first query meets a new URL.
_QUERIES = 8


class Recorder:
    """A profile function that appends a line to a file for each query: the source files that were entered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, None] | None = None

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_name
        if event == "call":
            if name == "data_received" and any(_begins(each) for each in frame.f_locals.values()):
                self._files = {}
            if self._files is not None:
                self._files.setdefault(frame.f_code.co_filename)
        elif event == "return" and name == "respond" and self._files is not None:
            with self._path.open("a") as file:
                file.write(f"{json.dumps(list(self._files))}\n")
            self._files = None


def _begins(value: object) -> bool:
    return isinstance(value, bytes) and _TARGET in value


class RecordedFrontend(Process):
    """A query frontend that records; `rest` and `rpc` are the addresses where it listens."""

    def __init__(self, redis: str, record: Path) -> None:
        self.id = uuid.uuid4().hex[:8]
        command: list[str | Path] = [sys.executable, "-m", "tests.benchmarks.query_way", record]
        command += ["--redis", redis, "--cluster-name", CLUSTER_NAME, "--frontend-id", self.id]
        command += ["--port", "0", "--rpc-port", "0", "--admin-port", "0", "--drain-delay-s", "0"]
        super().__init__("recorded query frontend", command)
        self.rest, self.rpc = self.wait_for_line(r"listening: rest=(\S+) rpc=(\S+)").groups()


def record_way() -> list[str]:
    """Return the files that a query enters, in order, relative to the folder of their package."""
    with Cluster(0) as cluster:
        record = cluster.directory / "record"
        with RecordedFrontend(cluster.redis.address, record) as frontend:
            cluster.frontends.append(frontend)  # type: ignore[arg-type]
            cluster.serve(row_sums(), app=_APP)
            # The warm-up is recorded too.
            record.write_text("")
            for number in range(_QUERIES):
                assert predict(frontend.rest, _APP, input=[number, 0.5])["output"] == number + 0.5
            # The line is written after the client has its answer.
            eventually(lambda: len(record.read_text().splitlines()) == _QUERIES, "all queries are recorded")
        ways = [_ours(json.loads(line)) for line in record.read_text().splitlines()]
    return min(ways, key=len)


def _ours(files: Sequence[str]) -> list[str]:
    found = []
    for file in files:
        parts = Path(file).parts
        if package := next((each for each in _PACKAGES if each in parts), None):
            found.append("/".join(parts[parts.index(package) :]))
    return found


def main() -> None:
    """Print the way; with arguments, be the frontend that records it into the first of them."""
    if len(sys.argv) > 1:
        from clipper_frontend.query.main import main as run_frontend

        sys.setprofile(Recorder(Path(sys.argv[1])))
        run_frontend(sys.argv[2:])
    way = record_way()
    print(*way, sep="\n")
    print(f"{len(way)} files")


if __name__ == "__main__":
    main()
